import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import { IgnoreMatcher, parseIgnore } from './ignore.ts';
import { lint } from './lint/lint.ts';
import { resolveMount } from './mount.ts';
import { parseDockerfile } from './parse.ts';
import { parsePorts } from './ports.ts';
import { type PlanOptions, planStages } from './stages.ts';

/** Far above what any of these takes, and far below what each took with time squared by its length. */
const MOST_MS = 20_000;
const platform = { os: 'linux', architecture: 'amd64' };
const options: PlanOptions = { buildArgs: {}, buildPlatform: platform, targetPlatform: platform };

const parse = (text: string) => parseDockerfile(text, { file: 'Dockerfile' });
const many = (count: number, one: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => one(i)).join('');
const plan = (text: string) => planStages(parse(text), options);

/** Lengths that a Dockerfile of a few hundred KB has room for. */
const QUICK: readonly (readonly [name: string, work: () => unknown])[] = [
  [
    'the path of a secret',
    () => {
      const target = `${'a'.repeat(400_000)}/b\n/${'a'.repeat(400_000)}`;
      const fields = [['type', 'secret'] as const, ['target', target] as const];
      resolveMount(
        { text: '', fields: fields.map(([key, value]) => ({ key, value, text: '' })), from: undefined },
        (word) => word,
      );
    },
  ],
  [
    'names that nobody declared',
    () =>
      lint(
        parse(`FROM a\nARG ${many(20_000, (i) => `v${i + 1e6} `)}\nLABEL x=${many(20_000, (i) => `$w${i + 1e6}`)}\n`),
      ),
  ],
  [
    'names that nobody declared, on a base that is known',
    () => lint(parse(`FROM scratch\nLABEL x=${many(60_000, (i) => `$w${i + 1e6}`)}\n`)),
  ],
  ['very long names', () => lint(parse(`FROM scratch\nARG ${'a'.repeat(300_000)}\nLABEL x=$${'b'.repeat(300_000)}\n`))],
  ['package lists', () => lint(parse(`FROM a\n${'RUN apt-get update\n'.repeat(20_000)}`))],
  ['archives', () => lint(parse(`FROM a\n${'COPY a.tar /\nRUN tar -x b\n'.repeat(20_000)}`))],
  [
    'empty lines between packages',
    () => lint(parse(`FROM a\nRUN apt-get install b \\\n${'\n'.repeat(300_000)}a \\\n c \\\n d\n`)),
  ],
  [
    'an address with many repositories in it',
    () => lint(parse(`FROM a\nADD ["https://x${'.git#'.repeat(100_000)}\\n", "/"]\n`)),
  ],
  ['folders of an ignore pattern', () => new IgnoreMatcher(parseIgnore(`a${'**/'.repeat(200_000)}b`)).ignores('a/b/c')],
];
for (const [name, work] of QUICK)
  test(`takes no long: ${name}`, () => {
    const start = performance.now();
    work();
    assert.ok(performance.now() - start < MOST_MS);
  });

const REFUSED: readonly (readonly [name: string, work: () => unknown, code: string])[] = [
  ['more ports than there are', () => parsePorts(Array(100_000).fill('1-65535')), 'PORT_INVALID'],
  [
    'stages that inherit many variables',
    () => plan(`FROM a AS b\nARG ${many(1_000, (i) => `v${i} `)}\n${'FROM b AS b\n'.repeat(2_000)}`),
    'VARIABLES_TOO_MANY',
  ],
  [
    'ONBUILD that fires many variables',
    () => plan(`FROM a AS b\nONBUILD ENV ${many(1_000, (i) => `v${i}=1 `)}\n${'FROM b\n'.repeat(2_000)}`),
    'VARIABLES_TOO_MANY',
  ],
];
for (const [name, work, code] of REFUSED)
  test(`refused: ${name}`, () => assert.throws(work, (error) => error instanceof Failure && error.code === code));

test('names that are operators of an expression are found like others', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the words under test hold them
  const findings = lint(parse('FROM a$*\nENV x=$* y=${?}\n'));
  assert.deepEqual(
    findings.filter(({ rule }) => rule === 'UndefinedArgInFrom').map(({ source }) => source.column),
    [7],
  );
});
