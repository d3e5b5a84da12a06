import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bind, check } from './libc.ts';
import { Terminal } from './terminal.ts';

const posixOpenpt = bind<(flags: number) => number>('int posix_openpt(int flags)');
const unlockpt = bind<(fd: number) => number>('int unlockpt(int fd)');
const ptsname = bind<(fd: number, into: Buffer, size: number) => number>(
  'int ptsname_r(int fd, void *into, size_t size)',
);

/** A terminal with a program on its other side. */
function run(script: string) {
  const master = check(posixOpenpt(constants.O_RDWR | constants.O_NOCTTY), 'posix_openpt');
  unlockpt(master);
  const name = Buffer.alloc(64);
  ptsname(master, name, name.length);
  const other = openSync(name.toString('utf8', 0, name.indexOf(0)), constants.O_RDWR | constants.O_NOCTTY);
  const terminal = new Terminal(master);
  spawn('/bin/sh', ['-c', script], { stdio: [other, other, other] });
  closeSync(other);
  return { terminal };
}

test('writing to a program that does not read waits, and the event loop goes on', async () => {
  const { terminal } = run('stty raw -echo; echo ready; sleep 0.5; head -c 200000 | wc -c');
  const output: AsyncIterator<Buffer> = terminal[Symbol.asyncIterator]();
  await output.next();
  const started = performance.now();
  terminal.write(Buffer.alloc(200_000, 'x'));
  await new Promise(setImmediate);
  assert.ok(performance.now() - started < 300);
  assert.ok(terminal.writableLength > 0);
  assert.equal(String((await output.next()).value).trim(), '200000');
  assert.equal((await output.next()).done, true);
  assert.ok(terminal.destroyed);
});

test('output is held back while nobody reads, and is whole', async () => {
  const { terminal } = run('stty -opost; seq 1 100000');
  await sleep(200);
  let size = 0;
  for await (const chunk of terminal) {
    size += chunk.length;
    if (size < 100_000) await sleep(1);
  }
  assert.equal(size, 588_895);
  assert.ok(terminal.destroyed);
});
