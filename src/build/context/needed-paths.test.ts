import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../dockerfile/parse.ts';
import { planStages } from '../../dockerfile/stages.ts';
import { hostPlatform } from '../../oci/platform.ts';
import { coversPath, neededPaths } from './needed-paths.ts';

function needed(text: string, options: { target?: string; buildArgs?: Record<string, string> } = {}) {
  const platform = hostPlatform();
  const plan = planStages(parseDockerfile(Buffer.from(text), { file: 'Dockerfile' }), {
    target: options.target,
    buildArgs: options.buildArgs ?? {},
    buildPlatform: platform,
    targetPlatform: platform,
    contexts: ['other'],
  });
  return neededPaths(plan);
}

const rows: readonly [name: string, text: string, own: readonly string[] | undefined | 'nothing'][] = [
  ['nothing', 'FROM scratch\nENV A=b', 'nothing'],
  ['files and folders', 'FROM scratch\nCOPY a b/ ./c/../d /x/', ['a', 'b', 'd']],
  ['all', 'FROM scratch\nCOPY a /\nCOPY . /', undefined],
  ['all, from above', 'FROM scratch\nCOPY ../ /', undefined],
  ['wildcards', 'FROM scratch\nCOPY src/*.c /', ['src/*.c']],
  ['what ADD fetches is not there', 'FROM scratch\nADD https://x/y git@github.com:a/b.git z /', ['z']],
  ['files of the Dockerfile', 'FROM scratch\nCOPY <<E /x\nhi\nE\n', 'nothing'],
  ['variables', 'ARG V=1\nFROM scratch\nARG V\nARG N=x\nENV D=$N-$V\nCOPY $D/f /', ['x-1/f']],
  ['variables of base images', 'FROM busybox\nCOPY $HOME/$X /', ['*/*']],
  ['variables of stages below', 'FROM scratch AS a\nENV D=d\nFROM a\nCOPY $D /', ['d']],
  ['stages that are not needed', 'FROM scratch AS a\nCOPY a /\nFROM scratch AS b\nCOPY b /', ['b']],
  ['stages that are copied from', 'FROM scratch AS a\nCOPY a /\nFROM scratch\nCOPY --from=a /x /', ['a']],
  ['mounts', 'FROM busybox\nRUN --mount=target=/x,source=s --mount=type=cache,target=/y true', ['s']],
  ['a mount of all', 'FROM busybox\nRUN --mount=target=/x true', undefined],
  ['triggers of own stages', 'FROM scratch AS a\nONBUILD COPY t /\nFROM a', ['t']],
  ['what cannot be expanded is left to its step', 'FROM scratch\nCOPY ${X /\nCOPY a /', ['a']],
];
for (const [name, text, own] of rows)
  test(`what a build needs of its context: ${name}`, () => {
    const found = needed(text);
    assert.deepEqual(found.has(undefined) ? found.get(undefined) : 'nothing', own);
  });

test('what a build needs of a named context', () => {
  assert.deepEqual([...needed('FROM scratch\nCOPY --from=other a /\nCOPY --from=OTHER b /')], [['other', ['a', 'b']]]);
  assert.deepEqual([...needed('FROM other\nCOPY --from=other a /')], [['other', undefined]]);
  assert.deepEqual([...needed('FROM scratch AS x\nCOPY --from=busybox a /')], []);
});

test('the build argument counts', () => {
  assert.deepEqual([...needed('FROM scratch\nARG D=x\nCOPY $D /', { buildArgs: { D: 'y' } })], [[undefined, ['y']]]);
});

for (const [list, path, isCovered] of [
  [undefined, 'x', true],
  [['a'], 'a', true],
  [['a'], './a/', true],
  [['a'], 'a/b/c', true],
  [['a/b'], 'a', false],
  [['a'], 'b', false],
  [['a'], '.', false],
  [['*'], 'b/c', true],
  [['*/x'], 'b/x/c', true],
  [['*/x'], 'b', false],
  [['*.c'], '*.c', true],
  [['*.c'], 'x.c', true],
  [['*'], '?', false],
  [[], 'x', false],
] as const)
  test(`${JSON.stringify(list ?? 'all')} ${isCovered ? 'has' : 'may not have'} ${path}`, () => {
    assert.equal(coversPath(list, path), isCovered);
  });
