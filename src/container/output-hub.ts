import { Readable } from 'node:stream';
import type { OutputName } from './process-streams.ts';

/** What takes output besides attached clients; a promise holds the process back until it resolves. */
export type OutputSink = (name: OutputName, chunk: Buffer) => Promise<void> | undefined;

export interface ClientWishes {
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Bytes that a client may lag behind before the process has to wait for it, as with Docker. */
const CLIENT_BUFFER = 1 << 20;
const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

/**
 * Spreads the output of one process to sinks and to attached clients. Nobody loses output: whoever is slow holds the
 * process back, until it has ended (`release`); a client that goes away holds nothing back.
 */
export class OutputHub {
  readonly tty: boolean;
  readonly #sinks: OutputSink[] = [];
  readonly #clients = new Set<ClientOutput>();
  #ended = false;

  constructor(tty: boolean) {
    this.tty = tty;
  }

  addSink(sink: OutputSink): void {
    this.#sinks.push(sink);
  }

  /**
   * What comes from now on, in the Engine API's form: plain with a terminal, else each piece behind an 8-byte header.
   * `before` comes first. Ends with the process; destroy it to leave earlier.
   */
  attach(wishes: ClientWishes, before?: AsyncIterable<Buffer>): Readable {
    const client = new ClientOutput(this.tty, wishes);
    if (this.#ended) client.push(null);
    else {
      this.#clients.add(client);
      client.once('close', () => this.#clients.delete(client));
    }
    if (!before) return client;
    const output = Readable.from(chained(before, client), { objectMode: false });
    output.once('close', () => client.destroy()); // the generator may be waiting for more and not see it
    return output;
  }

  /** Carries all that `sources` give until each has ended. */
  async carry(sources: readonly { readonly name: OutputName; readonly source: Readable }[]): Promise<void> {
    await Promise.all(sources.map(({ name, source }) => this.#carryOne(name, source)));
  }

  /** The process has ended: what it left is taken over at once, clients read it when they like. */
  release(): void {
    for (const client of this.#clients) client.release();
  }

  /** Ends the streams of all clients after what they still have to read. */
  end(): void {
    this.#ended = true;
    for (const client of this.#clients) client.push(null);
    this.#clients.clear();
  }

  async #carryOne(name: OutputName, source: Readable): Promise<void> {
    try {
      for await (const chunk of source) await this.write(name, chunk);
    } catch {
      // the stream was destroyed: its process has ended, or the host ends
    }
  }

  /** Sends one piece to all; resolves when there is room for more. */
  async write(name: OutputName, chunk: Buffer): Promise<void> {
    const waits: Promise<void>[] = [];
    const takers: OutputSink[] = [...this.#sinks];
    for (const client of this.#clients) takers.push(client.deliver);
    for (const take of takers) {
      const wait = take(name, chunk);
      if (wait) waits.push(wait);
    }
    if (waits.length > 0) await Promise.all(waits);
  }
}

/** One piece of output in the form of a multiplexed stream. */
export function frame(name: OutputName, payload: Buffer): Buffer {
  return Buffer.concat([header(name, payload.length), payload]);
}

function header(name: OutputName, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes[0] = STREAM_NUMBER[name];
  bytes.writeUInt32BE(length, 4);
  return bytes;
}

class ClientOutput extends Readable {
  readonly #tty: boolean;
  readonly #wishes: ClientWishes;
  #waits = true;
  #room: (() => void) | undefined;
  #roomPromise: Promise<void> | undefined;

  constructor(tty: boolean, wishes: ClientWishes) {
    super({ highWaterMark: CLIENT_BUFFER });
    this.#tty = tty;
    this.#wishes = wishes;
  }

  readonly deliver: OutputSink = (name, chunk) => {
    if (this.destroyed || !this.#wishes[name]) return undefined;
    if (!this.#tty) this.push(header(name, chunk.length));
    if (this.push(chunk) || !this.#waits) return undefined;
    this.#roomPromise ??= new Promise((resolve) => {
      this.#room = resolve;
    });
    return this.#roomPromise;
  };

  release(): void {
    this.#waits = false;
    this.#makeRoom();
  }

  override _read(): void {
    this.#makeRoom();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#makeRoom();
    done(error);
  }

  #makeRoom(): void {
    this.#room?.();
    this.#room = undefined;
    this.#roomPromise = undefined;
  }
}

async function* chained(first: AsyncIterable<Buffer>, then: Readable): AsyncGenerator<Buffer> {
  yield* first;
  for await (const chunk of then) yield chunk;
}
