import { type StatusResponse, statusResponse } from '../shapes/status.ts';

/** Bytes that are kept for who does not read as fast as a build talks; then the build waits. */
const BACKLOG = 4 << 20;

/** One who reads, and what he has yet to read. */
interface Reader {
  readonly backlog: Buffer[];
  bytes: number;
  /** Called when there is something new, or the end. */
  wake: () => void;
}

/**
 * What a build tells, to all who ask for it. Who comes first gets all from the beginning, as far as that was kept; others get
 * what is told from then on. Nobody needs to read, but who reads slowly holds the build up.
 */
export class StatusFeed {
  readonly #readers = new Set<Reader>();
  #early: Reader | undefined = { backlog: [], bytes: 0, wake: () => {} };
  #closed = false;
  #room = Promise.withResolvers<void>();

  /** Resolves when there is room for more. */
  async show(status: Partial<StatusResponse>): Promise<void> {
    const message = statusResponse.encode(status);
    if (this.#early && this.#early.bytes + message.length <= BACKLOG) tell(this.#early, message);
    for (const reader of this.#readers) tell(reader, message);
    while (!this.#closed && [...this.#readers].some(({ bytes }) => bytes > BACKLOG)) await this.#room.promise;
  }

  /** All is said. */
  close(): void {
    this.#closed = true;
    this.#moved();
    for (const { wake } of this.#readers) wake();
  }

  /** Messages of StatusResponse, until all is said or `signal` aborts. */
  async *read({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<Buffer, void, undefined> {
    const reader = this.#early ?? { backlog: [], bytes: 0, wake: () => {} };
    this.#early = undefined;
    this.#readers.add(reader);
    const stop = () => reader.wake();
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const message = reader.backlog.shift();
        if (message) {
          reader.bytes -= message.length;
          this.#moved();
          yield message;
        } else if (this.#closed) return;
        else
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#readers.delete(reader);
      this.#moved();
    }
  }

  /** Lets those look again who wait for room. */
  #moved(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }
}

function tell(reader: Reader, message: Buffer): void {
  reader.backlog.push(message);
  reader.bytes += message.length;
  reader.wake();
}
