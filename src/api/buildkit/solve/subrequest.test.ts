import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import type { BuildBackend, BuildRequest } from '../../backend/build.ts';
import { answerRequest } from './subrequest.ts';

const dockerfile = () => ({ name: 'Dockerfile', content: Buffer.from('FROM a AS b\nMAINTAINER me\nFROM b\n') });
const place = { sourceIndex: 0, ranges: [{ start: { line: 2, character: 0 }, end: { line: 2, character: 0 } }] };

function ask(name: string, fault?: Failure) {
  const check: BuildBackend['check'] = async ({ emit }) => {
    await emit({
      type: 'lint',
      rule: 'MaintainerDeprecated',
      level: 'warning',
      message: 'deprecated',
      page: 'https://docs.example/x',
      line: 2,
      endLine: 2,
      excerpt: '2 | MAINTAINER me',
    });
    if (fault) throw fault;
    const at = { line: 1, endLine: 1 };
    return {
      targets: [
        { name: 'b', description: 'is one', base: 'a', platform: 'linux/amd64', isDefault: false, ...at },
        {
          name: undefined,
          description: undefined,
          base: 'b',
          platform: undefined,
          isDefault: true,
          line: 3,
          endLine: 3,
        },
      ],
      outline: {
        name: 'b',
        description: undefined,
        args: [
          { name: 'WHO', value: 'me', description: 'is greeted', ...at },
          { name: 'LONGER', value: undefined, description: undefined, ...at },
        ],
        secrets: [{ id: 's', isRequired: true, ...at }],
        agents: [],
      },
    };
  };
  const no = () => assert.fail('nothing is built');
  const request = {} as unknown as BuildRequest; // only passed on
  return answerRequest({ check, build: no, keep: no, pruneCache: no }, name, request, dockerfile);
}

const jsonOf = (answer: ReadonlyMap<string, Uint8Array>) =>
  JSON.parse(Buffer.from(answer.get('result.json') ?? '').toString());
const textOf = (answer: ReadonlyMap<string, Uint8Array>, name: string) =>
  Buffer.from(answer.get(name) ?? '').toString();

test('frontend.lint: warnings with their places', async () => {
  const answer = await ask('frontend.lint');
  const { warnings, sources, buildError } = jsonOf(answer);
  assert.deepEqual(warnings, [
    { ruleName: 'MaintainerDeprecated', url: 'https://docs.example/x', detail: 'deprecated', location: place },
  ]);
  assert.equal(Buffer.from(sources[0].data, 'base64').toString(), dockerfile().content.toString());
  assert.deepEqual([buildError, textOf(answer, 'result.statuscode')], [undefined, '1']);
  assert.match(
    textOf(answer, 'result.txt'),
    /WARNING: MaintainerDeprecated - https:\/\/docs\.example\/x\ndeprecated\n/,
  );
});

test('frontend.lint: a fault of the file is part of the answer, any other is not', async () => {
  const fault = new Failure('invalid', 'X', 'bad', { source: { file: 'Dockerfile', line: 2, endLine: 2 } });
  assert.deepEqual(jsonOf(await ask('frontend.lint', fault)).buildError, { message: 'bad', location: place });
  await assert.rejects(ask('frontend.lint', new Failure('unavailable', 'X', 'gone')), { message: 'gone' });
});

test('frontend.targets: the stages', async () => {
  const answer = await ask('frontend.targets');
  assert.deepEqual(
    jsonOf(answer).targets.map(({ location: _, ...target }: { location: unknown }) => target),
    [
      { name: 'b', description: 'is one', base: 'a', platform: 'linux/amd64' },
      { default: true, base: 'b' },
    ],
  );
  assert.equal(textOf(answer, 'result.txt'), 'TARGET    DESCRIPTION\nb         is one\n(default) \n');
});

test('frontend.outline: what a target takes', async () => {
  const answer = await ask('frontend.outline');
  const { name, args, secrets, ssh, sources } = jsonOf(answer);
  assert.deepEqual([name, ssh, sources.length], ['b', undefined, 1]);
  assert.deepEqual(
    args.map(({ location: _, ...arg }: { location: unknown }) => arg),
    [{ name: 'WHO', value: 'me', description: 'is greeted' }, { name: 'LONGER' }],
  );
  assert.equal(secrets[0].location.ranges[0].start.line, 1);
  assert.deepEqual(textOf(answer, 'result.txt').split('\n'), [
    'TARGET: b',
    '',
    'BUILD ARG   VALUE   DESCRIPTION',
    'WHO         me      is greeted',
    'LONGER              ',
    '',
    'SECRET   REQUIRED',
    's        true',
    '',
    '',
  ]);
});

test('frontend.subrequests.describe: what can be asked', async () => {
  const answer = await ask('frontend.subrequests.describe');
  const names = jsonOf(answer).map(({ name }: { name: string }) => name);
  assert.deepEqual(names, ['frontend.outline', 'frontend.targets', 'frontend.lint', 'frontend.subrequests.describe']);
  assert.match(textOf(answer, 'result.txt'), /^NAME +VERSION +DESCRIPTION\noutline +1\.0\.0 +List all parameters/);
});

test('other requests are refused by name', () =>
  assert.rejects(ask('frontend.other'), { message: 'unsupported request frontend.other' }));
