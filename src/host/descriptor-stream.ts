import { closeSync, readSync, writeSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { systemCode } from '../lib/error.ts';
import { fcntl } from './fcntl.ts';
import { check, type DescriptorWatch, watchDescriptor } from './libc.ts';

const F_SETFL = 4;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;

/**
 * A pipe or a terminal as a stream; owns the descriptor. Reading ends, and the stream with it, when the other side is closed.
 * It never blocks the event loop, and nothing is read that nobody asked for.
 */
export class DescriptorStream extends Duplex {
  protected readonly fd: number;
  readonly #watch: DescriptorWatch;
  readonly #buffer = Buffer.allocUnsafe(1 << 16);
  #reading = false;
  #stopped = false;
  #unwritten: { chunk: Buffer; done: (error?: Error | null) => void } | undefined;

  constructor(fd: number) {
    super({ allowHalfOpen: false });
    this.fd = fd;
    check(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK), 'fcntl');
    this.#watch = watchDescriptor(fd);
  }

  /** Ends the stream here, after what was read; what comes later stays for another reader. */
  stop(): void {
    if (this.#stopped || this.destroyed || this.readableEnded) return;
    this.#stopped = true;
    this.#reading = false;
    this.#rewatch();
    this.push(null);
  }

  override _read(): void {
    this.#reading = !this.#stopped;
    this.#rewatch();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#unwritten = { chunk, done };
    this.#writeOn();
    this.#rewatch();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#watch[Symbol.dispose]();
    closeSync(this.fd);
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
    const read = this.#attempt(() => readSync(this.fd, this.#buffer));
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
    const written = this.#attempt(() => writeSync(this.fd, unwritten.chunk));
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
      if (['EIO', 'EPIPE'].includes(systemCode(error) ?? '')) return -1;
      throw error;
    }
  }
}
