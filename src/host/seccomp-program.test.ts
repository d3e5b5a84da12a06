import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSeccomp, type Seccomp } from './seccomp.ts';
import { seccompProgram } from './seccomp-program.ts';

const skip = seccompProgram(defaultSeccomp([])) === undefined && 'needs libseccomp.so.2';
const filter = (action: string, name = 'mkdir'): Seccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: [],
  syscalls: [{ names: [name], action, errnoRet: 7 }],
});

/** Constants that the program returns, of its instructions BPF_RET | BPF_K. */
function results(program: string | undefined): number[] {
  const bytes = Buffer.from(program ?? '', 'base64');
  assert.equal(bytes.length % 8, 0, 'instructions have 8 bytes');
  return [...Array(bytes.length / 8).keys()]
    .filter((index) => bytes.readUInt16LE(8 * index) === 0x06)
    .map((index) => bytes.readUInt32LE(8 * index + 4));
}

test('a filter becomes a program that returns its actions', { skip }, () => {
  const [allow, kill] = [0x7fff0000, 0];
  assert.deepEqual(new Set(results(seccompProgram(filter('SCMP_ACT_ERRNO')))), new Set([allow, 0x50007, kill]));
  assert.ok(results(seccompProgram(filter('SCMP_ACT_LOG'))).includes(0x7ffc0000));
});

test('capabilities change the default filter, the same ones do not', { skip }, () => {
  const plain = seccompProgram(defaultSeccomp([]));
  assert.equal(seccompProgram(defaultSeccomp([])), plain);
  assert.notEqual(seccompProgram(defaultSeccomp(['CAP_SYS_ADMIN'])), plain);
});

test('calls that nobody knows are left out', { skip }, () => {
  const allow = 0x7fff0000;
  assert.deepEqual(new Set(results(seccompProgram(filter('SCMP_ACT_ERRNO', 'no_such_call')))), new Set([allow, 0]));
});

test('what cannot be translated is left to the runtime', { skip }, () => {
  assert.equal(seccompProgram(filter('SCMP_ACT_NOTIFY')), undefined);
  assert.equal(seccompProgram(filter('SCMP_ACT_NONSENSE')), undefined);
  assert.equal(seccompProgram({ ...filter('SCMP_ACT_ERRNO'), architectures: ['SCMP_ARCH_NONE'] }), undefined);
});
