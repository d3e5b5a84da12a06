import { Failure } from '../../lib/error.ts';
import { type TarEntry, type TarHandler, TarReader } from '../../tar/tar-reader.ts';

type TarEvent =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'close' };

/**
 * The entries of a tar stream, one after another, each with its content as a stream, in constant memory. After an error
 * (`invalid` for what is no tar, or a truncated one) every further call throws it again.
 */
export class ArchiveReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Buffer>;
  readonly #reader: TarReader;
  #events: TarEvent[] = [];
  #at = 0;
  /** Whether an entry is open, its content not yet taken to the end. */
  #isInside = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#reader = new TarReader(this.#handler());
  }

  /** The next entry; leaves out what was not read of the one before. Undefined at the end of the archive. */
  async next(): Promise<TarEntry | undefined> {
    for await (const _ of this.content());
    const event = await this.#take();
    if (event === undefined) return undefined;
    if (event.kind !== 'entry') throw new Error('content without an entry');
    this.#isInside = true;
    return event.entry;
  }

  /** What is left of the content of the current entry. The buffers are valid until the next one is asked for. */
  async *content(): AsyncGenerator<Buffer> {
    while (this.#isInside) {
      const event = await this.#take();
      if (event?.kind === 'data') yield event.bytes;
      else this.#isInside = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  async #take(): Promise<TarEvent | undefined> {
    if (this.#failure) throw this.#failure.error;
    try {
      while (this.#at === this.#events.length) {
        if (this.#hasEnded) return undefined;
        this.#events = [];
        this.#at = 0;
        const { done, value } = await this.#source.next();
        if (done) {
          this.#hasEnded = true;
          this.#reader.end();
        } else this.#reader.push(value);
      }
      return this.#events[this.#at++];
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #handler(): TarHandler {
    return {
      entry: (entry) => this.#events.push({ kind: 'entry', entry }),
      data: (bytes) => this.#events.push({ kind: 'data', bytes }),
      hole: () => {
        throw new Failure('unsupported', 'ARCHIVE_SPARSE', 'an image archive with sparse files cannot be read');
      },
      close: () => this.#events.push({ kind: 'close' }),
      raw: () => {},
    };
  }
}
