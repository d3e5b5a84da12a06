import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputPipe, outputPipe } from './pipes.ts';
import { waitForExit } from './reaper.ts';
import { spawnProgram } from './spawn-program.ts';

test('a program gets its arguments, environment and descriptors, nothing else', async () => {
  using input = inputPipe();
  using output = outputPipe();
  const script = 'read x; echo "$1 $A ${HOME-unset} $x"; ls /proc/self/fd | wc -l; kill -PIPE $$';
  const pid = spawnProgram(
    '/bin/sh',
    ['-c', script, 'sh', 'one'],
    ['A=a', 'PATH=/bin'],
    [input.fd, output.fd, 'ignore'],
  );
  input[Symbol.dispose]();
  output[Symbol.dispose]();
  input.stream.end('typed\n');
  const text = (await output.stream.toArray()).join('');
  // Standard input, output and error, and the folder that ls reads. SIGPIPE, which Node ignores, ends the shell.
  assert.equal(text, 'one a unset typed\n4\n');
  assert.deepEqual(await waitForExit(pid), { exitCode: 141, signal: 13 });
});

test('a program that is missing', () => {
  assert.throws(() => spawnProgram('/none', [], [], ['ignore', 'ignore', 'ignore']), { code: 'ENOENT' });
});
