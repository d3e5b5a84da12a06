import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { outputPipe } from './pipes.ts';

/** A shell that writes into a pipe of ours, and what arrives. */
function write(script: string) {
  using pipe = outputPipe();
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', pipe.fd, 'inherit'] });
  return { child, stream: pipe.stream };
}

test('little pieces are gathered, and none is lost', async () => {
  const { stream } = write('seq 20000 | dd bs=64 iflag=fullblock 2>/dev/null');
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  const expected = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.equal(Buffer.concat(pieces).toString(), expected);
  assert.ok(pieces.length < expected.length / 64 / 2, `${pieces.length} pieces`);
});

test('one who does not read holds the program back', async () => {
  const { child, stream } = write('dd if=/dev/zero bs=4096 count=1000 2>/dev/null');
  const ended = once(child, 'close');
  await sleep(200);
  assert.equal(child.exitCode, null);
  assert.ok(stream.readableLength < 1 << 18, `${stream.readableLength} bytes were taken`);
  let size = 0;
  for await (const piece of stream) size += piece.length;
  assert.equal(size, 4_096_000);
  await ended;
});

test('a stream that is given up ends its program by SIGPIPE', async () => {
  const { child, stream } = write('while echo x; do :; done 2>/dev/null');
  const ended = once(child, 'close');
  await once(stream, 'readable');
  stream.destroy();
  await ended;
});
