import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startTestHost } from './test-host.ts';

/** A part of a host that notes what it is asked. */
function transfer() {
  const asked: unknown[] = [];
  const backend = {
    async export(build: string, { mode, have }: { mode: string; have: readonly string[] }) {
      asked.push(['export', build, mode, have]);
      return Readable.from([Buffer.from('tar')]);
    },
    async push(
      [build]: readonly string[],
      { mode, reference }: { mode: string; reference: { path: string; tag?: string | undefined } },
    ) {
      asked.push(['push', build, mode, reference.path, reference.tag]);
      return 'sha256:1';
    },
    async missing(layers: readonly string[]) {
      asked.push(['missing', layers]);
      return ['sha256:2'];
    },
    async import(body: Readable) {
      asked.push(['import', await text(body)]);
      return { Records: 1, Layers: 2 };
    },
  };
  return { asked, backend };
}

const HAVE = JSON.stringify({ Have: ['sha256:1'] });
const questions: readonly (readonly [path: string, body: string | Buffer, asked: unknown, answer: string])[] = [
  ['/strake/builds/cache?build=abc', HAVE, ['export', 'abc', 'min', ['sha256:1']], 'tar'],
  ['/strake/builds/cache?mode=max', '', ['export', '', 'max', []], 'tar'],
  [
    '/strake/builds/cache/push?build=a&ref=r:5000/x',
    '',
    ['push', 'a', 'min', 'x', 'latest'],
    '{"Digest":"sha256:1"}\n',
  ],
  ['/strake/build-cache/missing', '{"Layers":["a"]}', ['missing', ['a']], '{"Layers":["sha256:2"]}\n'],
  ['/strake/build-cache', Buffer.from('tar'), ['import', 'tar'], '{"Records":1,"Layers":2}\n'],
];
for (const [path, body, expected, answer] of questions)
  test(`POST ${path}`, async () => {
    const { asked, backend } = transfer();
    await using host = await startTestHost({ cacheTransfer: backend });
    const got = await host.call('POST', path, body.length === 0 ? {} : { body });
    assert.deepEqual([got.status, asked, got.text], [200, [expected], answer]);
  });

const refused: readonly (readonly [path: string, message: string])[] = [
  ['/strake/builds/cache?mode=some', 'invalid cache mode "some": expected min or max'],
  [
    '/strake/builds/cache/push?mode=max&ref=UPPER',
    'invalid reference format: repository name (library/UPPER) must be lowercase',
  ],
];
for (const [path, message] of refused)
  test(`POST ${path} is refused`, async () => {
    const { asked, backend } = transfer();
    await using host = await startTestHost({ cacheTransfer: backend });
    const answer = await host.call('POST', path);
    assert.deepEqual([answer.status, JSON.parse(answer.text).message, asked], [400, message, []]);
  });
