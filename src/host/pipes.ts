import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { bind, check } from './libc.ts';

const pipe2 = bind<(fds: Buffer, flags: number) => number>('int pipe2(void *fds, int flags)');

const O_CLOEXEC = 0o2000000;

/** One end of a pipe is for a program that is about to be started, the other one is a stream here. */
export interface ProgramPipe<Stream> extends Disposable {
  /** For the program; given on as its stdio. Close it (dispose) as soon as the program has been started. */
  readonly fd: number;
  readonly stream: Stream;
}

/** A pipe that the program writes and we read; ends when the last program has closed it. */
export function outputPipe(): ProgramPipe<Readable> {
  const [read, write] = makePipe();
  const stream = new Socket({ fd: read, readable: true, writable: false });
  return { fd: write, stream, [Symbol.dispose]: closeOnce(write) };
}

/** A pipe that we write and the program reads. Writing after the program has closed it is an EPIPE error. */
export function inputPipe(): ProgramPipe<Writable> {
  const [read, write] = makePipe();
  const stream = new Socket({ fd: write, readable: false, writable: true });
  return { fd: read, stream, [Symbol.dispose]: closeOnce(read) };
}

/** Descriptors that are closed in every program that is started without being given one. */
export function makePipe(): [read: number, write: number] {
  const fds = Buffer.alloc(8);
  check(pipe2(fds, O_CLOEXEC), 'pipe2');
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

function closeOnce(fd: number): () => void {
  let open = true;
  return () => {
    if (open) closeSync(fd);
    open = false;
  };
}
