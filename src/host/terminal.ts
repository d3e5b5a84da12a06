import { closeSync, readSync, writeSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { systemCode } from '../lib/error.ts';
import { bind, check, type DescriptorWatch, watchDescriptor } from './libc.ts';

const fcntl = bind<(fd: number, command: number, value: number) => number>(
  'int fcntl(int fd, int command, int64_t value)',
);
const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>(
  'int ioctl(int fd, uint64_t request, void *argument)',
);

const F_SETFL = 4;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const TIOCSWINSZ = 0x5414;

/**
 * The master side of a pseudo terminal as a stream; owns the descriptor. Reading ends, and the stream with it,
 * when the last program has closed the terminal. Neither side ever blocks the event loop, which libuv's own terminal handles do on a master.
 */
export class Terminal extends Duplex {
  readonly #fd: number;
  readonly #watch: DescriptorWatch;
  readonly #buffer = Buffer.allocUnsafe(1 << 16);
  #reading = false;
  #unwritten: { chunk: Buffer; done: (error?: Error | null) => void } | undefined;

  constructor(fd: number) {
    super({ allowHalfOpen: false });
    this.#fd = fd;
    check(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK), 'fcntl');
    this.#watch = watchDescriptor(fd);
  }

  /** Tells the programs of the terminal its size in characters. */
  resize(rows: number, columns: number): void {
    if (this.destroyed) return;
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows & 0xffff, 0);
    size.writeUInt16LE(columns & 0xffff, 2);
    check(ioctl(this.#fd, TIOCSWINSZ, size), 'ioctl');
  }

  override _read(): void {
    this.#reading = true;
    this.#rewatch();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#unwritten = { chunk, done };
    this.#writeOn();
    this.#rewatch();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
    done(error);
  }

  #rewatch(): void {
    if (this.destroyed) return;
    const writable = this.#unwritten !== undefined;
    if (!this.#reading && !writable) this.#watch.stop();
    else this.#watch.start({ readable: this.#reading, writable }, () => this.#ready());
  }

  #ready(): void {
    if (this.#reading) this.#readOn();
    if (this.#unwritten) this.#writeOn();
    this.#rewatch();
  }

  #readOn(): void {
    const read = this.#attempt(() => readSync(this.#fd, this.#buffer));
    if (read === undefined) return;
    if (read <= 0) {
      this.#reading = false;
      this.push(null);
      return;
    }
    this.#reading = this.push(Buffer.from(this.#buffer.subarray(0, read)));
  }

  #writeOn(): void {
    const unwritten = this.#unwritten;
    if (!unwritten) return;
    const written = this.#attempt(() => writeSync(this.#fd, unwritten.chunk));
    if (written === undefined) return;
    if (written >= 0 && written < unwritten.chunk.length) {
      unwritten.chunk = unwritten.chunk.subarray(written);
      return;
    }
    this.#unwritten = undefined;
    unwritten.done(); // what nobody can read any more is dropped, as a terminal does on hang-up
  }

  /** Undefined: not now. -1: the other side is closed. */
  #attempt(call: () => number): number | undefined {
    try {
      return call();
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return undefined;
      if (systemCode(error) === 'EIO') return -1;
      throw error;
    }
  }
}
