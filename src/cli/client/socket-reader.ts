import type { Duplex } from 'node:stream';
import { Failure } from '../../lib/error.ts';

const LINE_LIMIT = 64 << 10;

/** Reads bytes and lines from a socket, one reader at a time. Leaves what it was not asked for. */
export class SocketReader {
  readonly #socket: Duplex;
  #pending: Buffer | undefined;
  #error: Error | undefined;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
  }

  /** The next bytes, or undefined when the other side ended. */
  async next(): Promise<Buffer | undefined> {
    const pending = this.rest();
    if (pending.length > 0) return pending;
    for (;;) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk !== null) return chunk;
      if (this.#socket.readableEnded) return undefined;
      if (this.#socket.destroyed) throw this.#error ?? lost('the connection was closed');
      await this.#change();
    }
  }

  /** At most `limit` of the next bytes. */
  async upTo(limit: number): Promise<Buffer | undefined> {
    const chunk = await this.next();
    if (chunk === undefined || chunk.length <= limit) return chunk;
    this.#pending = chunk.subarray(limit);
    return chunk.subarray(0, limit);
  }

  /** The next line without its end (CR LF, or LF alone). */
  async line(): Promise<string> {
    let read: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.next();
      if (chunk === undefined) throw lost('the connection was closed in the middle of an answer');
      const end = chunk.indexOf(10);
      read = Buffer.concat([read, end < 0 ? chunk : chunk.subarray(0, end)]);
      if (read.length > LINE_LIMIT) throw lost('the host sent a line that is too long');
      if (end < 0) continue;
      this.#pending = chunk.subarray(end + 1);
      return read.toString('latin1').replace(/\r$/, '');
    }
  }

  /** What was read and not asked for; the reader gives it up. */
  rest(): Buffer {
    const pending = this.#pending ?? Buffer.alloc(0);
    this.#pending = undefined;
    return pending;
  }

  #change(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const events = ['readable', 'end', 'close'] as const;
      const onChange = () => {
        for (const event of events) socket.off(event, onChange);
        resolve();
      };
      for (const event of events) socket.on(event, onChange);
    });
  }
}

function lost(message: string): Failure {
  return new Failure('unavailable', 'HOST_LOST', message);
}
