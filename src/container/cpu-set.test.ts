import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCpuSet } from './cpu-set.ts';

for (const asked of ['', '0', '1', '0-1', '0,1', '1, 0', '0-1,1'])
  test(`accepted: "${asked}"`, () => checkCpuSet('cpus', asked, '0-1'));

const REFUSED: readonly [kind: 'cpus' | 'mems', asked: string, message: string][] = [
  ['cpus', '2', 'Requested CPUs are not available - requested 2, available: 0-1'],
  ['cpus', '0-9', 'Requested CPUs are not available - requested 0-9, available: 0-1'],
  ['mems', '2', 'Requested memory nodes are not available - requested 2, available: 0-1'],
  ['cpus', 'x', 'Invalid value x for cpuset cpus: invalid format: x'],
  ['mems', 'x', 'Invalid value x for cpuset mems: invalid format: x'],
  ['cpus', '0-', 'Invalid value 0- for cpuset cpus: invalid format: 0-'],
  ['cpus', '1-0', 'Invalid value 1-0 for cpuset cpus: invalid format: 1-0'],
  ['cpus', '0,,1', 'Invalid value 0,,1 for cpuset cpus: invalid format: 0,,1'],
  ['cpus', '0-99999999999', 'Invalid value 0-99999999999 for cpuset cpus: invalid format: 0-99999999999'],
];
for (const [kind, asked, message] of REFUSED)
  test(`refused: ${kind} "${asked}"`, () =>
    assert.throws(() => checkCpuSet(kind, asked, '0-1'), { kind: 'invalid', message }));

test('what the machine has is read from the kernel', () => {
  checkCpuSet('cpus', '0');
  assert.throws(() => checkCpuSet('cpus', '8191'), /Requested CPUs are not available/);
});
