import { Failure } from '../../lib/error.ts';
import type { FileRange } from '../../lib/file-range.ts';
import { type TarEntry, type TarHandler, TarReader } from '../../tar/tar-reader.ts';
import type { ArchiveBytes } from './archive-bytes.ts';

type TarEvent =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  /** `place`: in the archive. */
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly place: number }
  | { readonly kind: 'close' };

/**
 * The entries of a tar, one after another, each with its content as a stream, in constant memory. What nobody reads is left
 * out where the source can do that. After an error (`invalid` for what is no tar, or a truncated one) every further call
 * throws it again.
 */
export class ArchiveReader implements AsyncDisposable {
  readonly #source: ArchiveBytes;
  readonly #reader: TarReader;
  #events: TarEvent[] = [];
  #at = 0;
  /** The chunk in hand, and where it stands in the archive. */
  #chunk: Buffer = Buffer.alloc(0);
  #place = 0;
  /** The current entry, its content not yet taken to the end. */
  #inside: TarEntry | undefined;
  /** Where its content begins, once a byte of it was taken. */
  #contentPlace: number | undefined;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(source: ArchiveBytes) {
    this.#source = source;
    this.#reader = new TarReader(this.#handler());
  }

  /** The next entry; leaves out what was not read of the one before. Undefined at the end of the archive. */
  async next(): Promise<TarEntry | undefined> {
    while (this.#inside) if ((await this.#take('skip'))?.kind !== 'data') this.#inside = undefined;
    const event = await this.#take('read');
    if (event === undefined) return undefined;
    if (event.kind !== 'entry') throw new Error('content without an entry');
    this.#inside = event.entry;
    this.#contentPlace = undefined;
    return event.entry;
  }

  /** What is left of the content of the current entry. The buffers are valid until the next one is asked for. */
  async *content(): AsyncGenerator<Buffer> {
    while (this.#inside) {
      const event = await this.#take('read');
      if (event?.kind === 'data') yield event.bytes;
      else this.#inside = undefined;
    }
  }

  /** The content of the current entry in the file of the archive, if that is one. Read a byte of it first. */
  get range(): FileRange | undefined {
    if (!this.#inside || this.#contentPlace === undefined) return undefined;
    return this.#source.range?.(this.#contentPlace, this.#inside.size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
  }

  async #take(content: 'read' | 'skip'): Promise<TarEvent | undefined> {
    if (this.#failure) throw this.#failure.error;
    try {
      while (this.#at === this.#events.length) {
        if (this.#hasEnded) return undefined;
        await this.#advance(content);
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
    const event = this.#events[this.#at++];
    if (event?.kind === 'data') this.#contentPlace ??= event.place;
    return event;
  }

  /** Goes on to the next chunk, behind the content if that is to be left out. */
  async #advance(content: 'read' | 'skip'): Promise<void> {
    this.#events = [];
    this.#at = 0;
    this.#place += this.#chunk.length;
    this.#chunk = Buffer.alloc(0);
    const { contentLeft } = this.#reader;
    if (content === 'skip' && contentLeft > 0 && this.#source.skip?.(contentLeft)) {
      this.#place += contentLeft;
      this.#reader.skipContent();
      return;
    }
    const chunk = await this.#source.next();
    if (!chunk) {
      this.#hasEnded = true;
      this.#reader.end();
    } else {
      this.#chunk = chunk;
      this.#reader.push(chunk);
    }
  }

  #handler(): TarHandler {
    return {
      entry: (entry) => this.#events.push({ kind: 'entry', entry }),
      data: (bytes) => {
        const place = this.#place + bytes.byteOffset - this.#chunk.byteOffset;
        this.#events.push({ kind: 'data', bytes, place });
      },
      hole: () => {
        throw new Failure('unsupported', 'ARCHIVE_SPARSE', 'an image archive with sparse files cannot be read');
      },
      close: () => this.#events.push({ kind: 'close' }),
      raw: () => {},
    };
  }
}
