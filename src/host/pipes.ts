import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import { fcntl } from './fcntl.ts';
import { bind, check } from './libc.ts';

const pipe2 = bind<(fds: Buffer, flags: number) => number>('int pipe2(void *fds, int flags)');

const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
/** Of a pipe that is read here, in bytes. */
const PIPE_SIZE = 1 << 20;
/** What is read at a time. */
const BLOCK = 64 << 10;
const SMALL = 16 << 10;
/** Pieces that come faster than this are gathered for so long, in milliseconds. */
const HURRY_MS = 2;
const GATHER_MS = 1;

/** One end of a pipe is for a program that is about to be started, the other one is a stream here. */
export interface ProgramPipe<Stream> extends Disposable {
  /** For the program; given on as its stdio. Close it (dispose) as soon as the program has been started. */
  readonly fd: number;
  readonly stream: Stream;
}

/** A pipe that the program writes and we read; ends when the last program has closed it. */
export function outputPipe(): ProgramPipe<Readable> {
  const [read, write] = makeOutputPipe();
  return { fd: write, stream: new PipeOutput(read), [Symbol.dispose]: closeOnce(write) };
}

/** A pipe that we write and the program reads. Writing after the program has closed it is an EPIPE error. */
export function inputPipe(): ProgramPipe<Writable> {
  const [read, write] = makePipe();
  const stream = new Socket({ fd: write, readable: false, writable: true });
  return { fd: read, stream, [Symbol.dispose]: closeOnce(read) };
}

/**
 * What a program writes. Programs write much in little pieces, and a turn of the event loop for each would cost more than
 * all else: while pieces come quickly, they are left in the pipe for a moment, to be read together.
 */
class PipeOutput extends Readable {
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #wanted = false;
  #lastRead = 0;

  constructor(fd: number) {
    super({ highWaterMark: BLOCK });
    const buffer = Buffer.allocUnsafeSlow(BLOCK);
    const callback = (length: number) => this.#take(buffer.subarray(0, length));
    this.#socket = new Socket({ fd, readable: true, writable: false, onread: { buffer, callback } });
    this.#socket.on('end', () => this.push(null)).on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#timer === undefined) this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
    done(error);
  }

  /** False when reading is to pause. The buffer is used again. */
  #take(bytes: Buffer): boolean {
    const now = performance.now();
    const hurries = bytes.length < SMALL && now - this.#lastRead < HURRY_MS;
    this.#lastRead = now;
    this.#wanted = this.push(Buffer.from(bytes));
    if (!hurries) return this.#wanted;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastRead = performance.now();
      if (this.#wanted) this.#socket.resume();
    }, GATHER_MS);
    return false;
  }
}

/** As `makePipe`, one that holds much. */
export function makeOutputPipe(): [read: number, write: number] {
  const ends = makePipe();
  fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE); // where it cannot be had, the usual size will do
  return ends;
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
