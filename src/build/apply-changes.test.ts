import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from './apply-changes.ts';

test('changes add up, with the variables of the config', () => {
  const config = applyChanges({ Env: ['A=1'] }, ['ENV B=$A', 'LABEL l=$B', 'CMD x', 'CMD ["y"]', 'WORKDIR rel']);
  assert.deepEqual(config.Env, ['A=1', 'B=1']);
  assert.deepEqual([config.Labels, config.Cmd, config.WorkingDir], [{ l: '1' }, ['y'], '/rel']);
});

for (const [change, message] of [
  ['RUN x', 'RUN is not a valid change command'],
  ['MAINTAINER me', 'MAINTAINER is not a valid change command'],
  ['NOPE', 'NOPE is not a valid change command'],
  ['ENV x', 'ENV must have two arguments'],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
] as const)
  test(`${change} is refused`, () => assert.throws(() => applyChanges({}, [change]), { kind: 'invalid', message }));
