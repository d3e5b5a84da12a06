// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words under test hold them
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from './parse.ts';
import { StageScope } from './stage-scope.ts';
import { planStages } from './stages.ts';

const platform = { os: 'linux', architecture: 'amd64' };

/** Walks the instructions of the last stage as the solver does. */
function walk(text: string, buildArgs: Record<string, string | null> = {}, env: string[] = []): StageScope {
  const plan = planStages(parseDockerfile(text, { file: 'D' }), {
    buildArgs,
    buildPlatform: platform,
    targetPlatform: platform,
  });
  const scopes: StageScope[] = [];
  for (const stage of plan.needed) {
    const parent = stage.base.kind === 'stage' ? scopes[stage.base.index] : undefined;
    const scope = new StageScope(plan, parent?.environment() ?? env, parent);
    scopes[stage.index] = scope;
    for (const instruction of stage.instructions) {
      if (instruction.kind === 'ARG') scope.declare(instruction);
      if (instruction.kind === 'ENV')
        for (const { name, value } of instruction.pairs)
          scope.setEnv(name, scope.expand(value, instruction.source).text);
    }
  }
  const last = scopes[plan.target.index];
  assert.ok(last);
  return last;
}

const ROWS: readonly (readonly [name: string, scope: () => StageScope, args: string[], env: string[]])[] = [
  ['default', () => walk('FROM a\nARG X=1'), ['X=1'], []],
  ['no default, no value', () => walk('FROM a\nARG X'), [], []],
  ['build argument', () => walk('FROM a\nARG X=1', { X: '2' }), ['X=2'], []],
  ['empty build argument', () => walk('FROM a\nARG X=1', { X: '' }), ['X='], []],
  ['null build argument', () => walk('FROM a\nARG X=1', { X: null }), ['X=1'], []],
  ['undeclared build argument', () => walk('FROM a', { X: '2' }), [], []],
  ['sorted', () => walk('FROM a\nARG B=2 A=1'), ['A=1', 'B=2'], []],
  ['each sees those before it', () => walk('FROM a\nARG A=1 B=$A-$C C=3'), ['A=1', 'B=1-', 'C=3'], []],
  ['last declaration counts', () => walk('FROM a\nARG A=1\nARG A=2'), ['A=2'], []],
  ['declared again without default', () => walk('FROM a\nARG A=1\nARG A'), [], []],
  ['global with default', () => walk('ARG A=1\nFROM a\nARG A'), ['A=1'], []],
  ['global not declared in the stage', () => walk('ARG A=1\nFROM a'), [], []],
  ['default before global', () => walk('ARG A=1\nFROM a\nARG A=2'), ['A=2'], []],
  ['global from build argument', () => walk('ARG A=1\nFROM a\nARG A', { A: '3' }), ['A=3'], []],
  ['platform argument', () => walk('FROM a\nARG TARGETARCH'), ['TARGETARCH=amd64'], []],
  ['platform argument not declared', () => walk('FROM a\nENV X=$TARGETARCH'), [], ['X=']],
  ['ENV wins', () => walk('FROM a\nARG A=1\nENV A=2', { A: '3' }), [], ['A=2']],
  ['ENV wins when first', () => walk('FROM a\nENV A=2\nARG A=1', { A: '3' }), [], ['A=2']],
  ['ENV of the base wins', () => walk('FROM a\nARG A=1', {}, ['A=0']), [], ['A=0']],
  ['ENV from ARG', () => walk('FROM a\nARG V=1\nENV X=v$V'), ['V=1'], ['X=v1']],
  ['ENV keeps its place', () => walk('FROM a\nENV A=1 B=2\nENV A=3', {}, ['P=x=y']), [], ['P=x=y', 'A=3', 'B=2']],
  ['ARG of a base stage', () => walk('FROM a AS b\nARG A=1\nENV E=2\nFROM b'), ['A=1'], ['E=2']],
  ['unused default is not evaluated', () => walk('FROM a\nARG A=${NO:?x}', { A: '1' }), ['A=1'], []],
  ['proxy without ARG', () => walk('FROM a\nENV X=$http_proxy', { http_proxy: 'p' }), [], ['X=p']],
  ['proxy with ARG', () => walk('FROM a\nARG http_proxy', { http_proxy: 'p' }), ['http_proxy=p'], []],
  ['an argument named like a property', () => walk('FROM a\nARG constructor\nARG __proto__'), [], []],
];

for (const [name, scope, args, env] of ROWS) {
  test(name, () => {
    const walked = scope();
    assert.deepEqual(walked.buildArguments(), args);
    assert.deepEqual(walked.environment(), env);
  });
}

test('a RUN gets ENV, ARGs, and proxies that need no ARG', () => {
  const scope = walk('FROM a\nENV E=1\nARG A=2', { NO_PROXY: 'n', no_proxy: 'm', OTHER: 'x' });
  assert.deepEqual(scope.runEnvironment(), ['E=1', 'A=2', 'NO_PROXY=n', 'no_proxy=m']);
  assert.deepEqual([...scope.declared], ['A']);
});

test('a fault in a default has the place of its ARG', () => {
  assert.throws(() => walk('FROM a\nARG OK\nARG A=${NO:?needed}\n'), {
    message: 'failed to process "${NO:?needed}": NO: needed',
    source: { file: 'D', line: 3, endLine: 3 },
  });
});
