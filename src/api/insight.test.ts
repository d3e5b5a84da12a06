import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import { startTestHost } from './test-host.ts';

/** Answers every question with what was asked. */
function insight() {
  const asked: unknown[][] = [];
  const answer = async (...question: unknown[]) => {
    asked.push(question.filter((part) => ['string', 'number'].includes(typeof part) || Array.isArray(part)));
    return Readable.from([Buffer.from('{"A":1}\n')]);
  };
  const rewrite = async (...question: unknown[]) => {
    asked.push(question);
    return { Id: 'sha256:1', Warnings: [] };
  };
  const backend = {
    files: answer,
    read: answer,
    find: answer,
    diff: answer,
    blame: answer,
    waste: answer,
    changes: answer,
    layers: async (name: string) => [{ Number: 1, CreatedBy: name, Layer: 'sha256:1', Size: 2 }],
    tree: async () => ({ Layers: [], Images: [] }),
    flatten: rewrite,
    squash: rewrite,
    rebase: rewrite,
  };
  return { asked, backend };
}

const QUESTIONS: readonly [path: string, asked: unknown[]][] = [
  ['/strake/images/r:5000/team/app:1/files?path=/etc', ['r:5000/team/app:1', '/etc']],
  ['/v1.51/strake/images/app/file?path=/a%20b', ['app', '/a b']],
  ['/strake/images/app/diff?with=other', ['app', 'other']],
  ['/strake/images/app/blame?path=f', ['app', 'f']],
  ['/strake/images/app/waste', ['app']],
  ['/strake/images/app/files?path=/a+%FFb&path=c', ['app', '/a \udcffb']],
  ['/strake/images/app/changes?step=3&path=/etc', ['app', 3, '/etc']],
  ['/strake/images/find?pattern=*.so', [[], '*.so']],
  ['/strake/images/find?pattern=x&image=a&image=b', [['a', 'b'], 'x']],
];
for (const [path, expected] of QUESTIONS)
  test(`GET ${path}`, async () => {
    const { asked, backend } = insight();
    await using host = await startTestHost({ insight: backend });
    const { status, text } = await host.call('GET', path);
    assert.deepEqual([status, text, asked], [200, '{"A":1}\n', [expected]]);
  });

const REFUSED: readonly [method: string, path: string, message: string][] = [
  ['GET', '/strake/images/app/files', 'the parameter "path" is missing'],
  ['GET', '/strake/images/app/changes?path=/', 'the parameter "step" is missing'],
  ['GET', '/strake/images/app/changes?step=1', 'the parameter "path" is missing'],
  ['GET', '/strake/images/find', 'the parameter "pattern" is missing'],
  ['GET', '/strake/images/app/diff', 'the parameter "with" is missing'],
  ['POST', '/strake/images/app/squash', 'the parameter "from" is missing'],
  ['POST', '/strake/images/app/squash?from=x', 'invalid value "x" of parameter "from": expected a whole number'],
  ['POST', '/strake/images/app/rebase', 'the parameter "onto" is missing'],
  [
    'POST',
    '/strake/images/app/flatten?repo=UPPER',
    'invalid reference format: repository name (library/UPPER) must be lowercase',
  ],
];
for (const [method, path, message] of REFUSED)
  test(`${method} ${path} is refused`, async () => {
    await using host = await startTestHost({ insight: insight().backend });
    const { status, text } = await host.call(method, path);
    assert.deepEqual([status, JSON.parse(text).message], [400, message]);
  });

test('an error before the first byte has its own status', async () => {
  const failing = Readable.from(
    (async function* () {
      yield* [];
      throw new Failure('not-found', 'PATH_NOT_FOUND', 'no "/x" in the image');
    })(),
  );
  await using host = await startTestHost({ insight: { ...insight().backend, read: async () => failing } });
  const { status, text } = await host.call('GET', '/strake/images/app/file?path=/x');
  assert.deepEqual([status, JSON.parse(text).message], [404, 'no "/x" in the image']);
});

test('the layers of an image', async () => {
  await using host = await startTestHost({ insight: insight().backend });
  const { status, json } = await host.call('GET', '/strake/images/r:5000/app:1/layers');
  assert.deepEqual([status, json], [200, [{ Number: 1, CreatedBy: 'r:5000/app:1', Layer: 'sha256:1', Size: 2 }]]);
});

test('rewriting takes a name for the new image', async () => {
  const { asked, backend } = insight();
  await using host = await startTestHost({ insight: backend });
  const { status, json } = await host.call('POST', '/strake/images/a/b:1/rebase?onto=new&from=old&repo=x/y&tag=2');
  assert.deepEqual([status, json], [201, { Id: 'sha256:1', Warnings: [] }]);
  const [name, { target, onto, base }] = asked[0] as [
    string,
    { target: { path: string; tag: string }; onto: string; base: string },
  ]; // as the route calls it
  assert.deepEqual([name, target.path, target.tag, onto, base], ['a/b:1', 'x/y', '2', 'new', 'old']);
});
