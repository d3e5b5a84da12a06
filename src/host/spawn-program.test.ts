import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputPipe, outputPipe } from './pipes.ts';
import { waitForExit } from './reaper.ts';
import { spawnProgram } from './spawn-program.ts';

test('a program gets its arguments, environment and descriptors, none of our own', async () => {
  using input = inputPipe();
  using output = outputPipe();
  using other = outputPipe();
  const script = 'read x; echo "$1 $A $HOME. $x"; echo $(ls /proc/self/fd); kill -PIPE $$';
  const stdio = [input.fd, output.fd, 'ignore'] as const;
  const pid = spawnProgram('/bin/sh', ['sh', '-c', script, 'sh', 'one'], ['A=a', 'PATH=/bin'], stdio);
  input[Symbol.dispose]();
  output[Symbol.dispose]();
  input.stream.end('typed\n');
  const [line, open = ''] = (await output.stream.toArray()).join('').split('\n');
  assert.equal(line, 'one a . typed');
  assert.ok(open.startsWith('0 1 2 ') && !open.split(' ').includes(String(other.fd)), open);
  other.stream.destroy();
  // Node ignores SIGPIPE; in the program it acts as usual.
  assert.deepEqual(await waitForExit(pid), { exitCode: 141, signal: 13 });
});

test('a program that is missing', () => {
  assert.throws(() => spawnProgram('/none', ['none'], [], ['ignore', 'ignore', 'ignore']), { code: 'ENOENT' });
});
