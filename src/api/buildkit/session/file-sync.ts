import { Failure, messageOf } from '../../../lib/error.ts';
import type { ClientFiles, ContentSink, FileSink, SyncRequest } from '../../backend/build.ts';
import { type GrpcStream, METADATA_LIMIT } from '../grpc/client.ts';
import { entryOf, Packet, PacketType } from '../shapes/fsutil.ts';
import type { ClientSession } from './sessions.ts';

const METHOD = 'moby.filesync.v1.FileSync/DiffCopy';
/** Contents that are on their way at a time. Clients read four files at once and keep as many more in mind. */
const AHEAD = 64;
/** How long a client may take to hear what is wrong. */
const LINGER_MS = 1000;

/** The folders that a session's client gives. https://github.com/tonistiigi/fsutil (send.go, receive.go) */
export function clientFiles(session: Pick<ClientSession, 'has' | 'grpc' | 'closed'>): ClientFiles {
  return {
    async sync(request, sink, { signal }) {
      if (!session.has(METHOD))
        throw new Failure('invalid', 'CLIENT_FILES', 'the client gives no local sources: no local sources enabled');
      const stream = session.grpc.open(METHOD, { metadata: metadataOf(request), signal });
      try {
        await new Transfer(stream, sink, request.name).run();
        stream.close();
      } catch (error) {
        const why = Packet.encode({ type: PacketType.error, data: Buffer.from(messageOf(error)) });
        stream.send(why).then(
          () => stream.end(),
          () => {}, // it is gone already
        );
        setTimeout(() => stream.close(), LINGER_MS).unref(); // at once would take back what was said
        throw error;
      }
    },
  };
}

/** One list with the contents that the sink wants of it. */
class Transfer {
  readonly #stream: GrpcStream;
  readonly #sink: FileSink;
  readonly #name: string;
  /** Of entries that were listed. */
  #count = 0;
  #isListed = false;
  #isFinished = false;
  /** Not yet asked for, in the order of the list. */
  readonly #wanted: { readonly id: number; readonly content: ContentSink }[] = [];
  #next = 0;
  readonly #coming = new Map<number, ContentSink>();

  constructor(stream: GrpcStream, sink: FileSink, name: string) {
    this.#stream = stream;
    this.#sink = sink;
    this.#name = name;
  }

  async run(): Promise<void> {
    const packets = this.#stream.received[Symbol.asyncIterator](); // unlike a loop, no error here ends the call
    for (let next = await packets.next(); next.done !== true; next = await packets.next())
      await this.#take(Packet.decode(next.value));
    if (!this.#isFinished)
      throw new Failure('unavailable', 'CLIENT_FILES', `the client broke off the folder ${this.#name}`);
  }

  async #take({ type, stat, id, data }: ReturnType<typeof Packet.decode>): Promise<void> {
    switch (type) {
      case PacketType.stat: {
        if (this.#isListed) throw this.#wrong('it lists more files after the end of its list');
        if (!stat) {
          this.#isListed = true;
          this.#sink.listed();
          return this.#ask();
        }
        const number = this.#count++;
        const content = this.#sink.add(entryOf(stat));
        if (!content) return;
        this.#wanted.push({ id: number, content });
        return this.#ask();
      }
      case PacketType.data: {
        const content = this.#coming.get(id);
        if (!content) throw this.#wrong(`it sends a file that was not asked for: ${id}`);
        if (data.length > 0) return content.write(data);
        content.end();
        this.#coming.delete(id);
        return this.#ask();
      }
      case PacketType.finish:
        if (!this.#isFinished) throw this.#wrong('it ends before all files were sent');
        return;
      case PacketType.error:
        throw new Failure('invalid', 'CLIENT_FILES', Buffer.from(data).toString('utf8').slice(0, 4096));
      default:
        throw this.#wrong(`it sends a packet of type ${type}`);
    }
  }

  /** Asks for what may be on its way now, and says so when all has come. */
  async #ask(): Promise<void> {
    while (this.#coming.size < AHEAD && this.#next < this.#wanted.length) {
      const next = this.#wanted[this.#next++];
      if (!next) break;
      this.#coming.set(next.id, next.content);
      await this.#stream.send(Packet.encode({ type: PacketType.request, id: next.id }));
    }
    if (!this.#isListed || this.#coming.size > 0 || this.#isFinished) return;
    this.#isFinished = true;
    await this.#stream.send(Packet.encode({ type: PacketType.finish }));
    this.#stream.end();
  }

  #wrong(what: string): Failure {
    return new Failure('invalid', 'CLIENT_FILES', `the client breaks the rules with its folder ${this.#name}: ${what}`);
  }
}

type Metadata = Record<string, string | readonly string[]>;

/**
 * Lists that are too long to be sent only spare the way of some files: the host leaves out what is excluded, and takes what it
 * needs, of all that comes.
 */
function metadataOf({ name, exclude, followPaths }: SyncRequest): Metadata {
  return {
    ...listOf('dir-name', [name]),
    ...listOf('exclude-patterns', exclude),
    ...listOf('followpaths', followPaths ?? []),
  };
}

/** A list as headers; what is not ASCII goes as in a URL's query, which clients are told. */
function listOf(key: string, values: readonly string[]): Metadata {
  const isTooLong = values.reduce((sum, value) => sum + 3 * value.length + key.length, 0) > METADATA_LIMIT / 2;
  if (values.length === 0 || isTooLong) return {};
  if (values.every((value) => /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value))) return { [key]: values };
  return { [key]: values.map(encodeURIComponent), [`${key}-encoded`]: '1' };
}
