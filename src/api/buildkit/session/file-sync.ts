import { Failure, messageOf } from '../../../lib/error.ts';
import type { ValueOf } from '../../../lib/protobuf.ts';
import type { ClientFiles, ContentSink, FileSink, SyncRequest } from '../../backend/build.ts';
import { type GrpcStream, METADATA_LIMIT } from '../grpc/client.ts';
import { entryOf, Packet, PacketType, type Stat } from '../shapes/fsutil.ts';
import type { ClientSession } from './sessions.ts';

const METHOD = 'moby.filesync.v1.FileSync/DiffCopy';
/** Contents that are on their way at a time. Clients keep 128 in mind, and read four files at once. */
const AHEAD = 256;
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
  readonly #wanted: ({ readonly id: number; readonly content: ContentSink } | undefined)[] = [];
  #next = 0;
  readonly #coming = new Map<number, ContentSink>();
  /** Requests that go together. */
  #asking: Uint8Array[] = [];

  constructor(stream: GrpcStream, sink: FileSink, name: string) {
    this.#stream = stream;
    this.#sink = sink;
    this.#name = name;
  }

  async run(): Promise<void> {
    await this.#stream.receive((message) => {
      if (!this.#isListed && this.#sink.passes(message)) this.#count++;
      else this.#take(Packet.decode(message), message);
    });
    if (!this.#isFinished)
      throw new Failure('unavailable', 'CLIENT_FILES', `the client broke off the folder ${this.#name}`);
  }

  #take({ type, stat, id, data }: ReturnType<typeof Packet.decode>, message: Uint8Array): void {
    switch (type) {
      case PacketType.stat:
        if (this.#isListed) throw this.#wrong('it lists more files after the end of its list');
        if (stat) this.#list(stat, message);
        else {
          this.#isListed = true;
          this.#sink.listed();
          this.#ask();
        }
        return;
      case PacketType.data: {
        const content = this.#coming.get(id);
        if (!content) throw this.#wrong(`it sends a file that was not asked for: ${id}`);
        if (data.length > 0) content.write(data);
        else {
          content.end();
          this.#coming.delete(id);
          this.#ask();
        }
        return;
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

  #list(stat: ValueOf<typeof Stat>, message: Uint8Array): void {
    const id = this.#count++;
    const content = this.#sink.add(entryOf(stat), message);
    if (!content) return;
    this.#wanted.push({ id, content });
    this.#ask();
  }

  /** Asks for what may be on its way now, and says so when all has come. */
  #ask(): void {
    for (let next = this.#wanted[this.#next]; next && this.#coming.size < AHEAD; next = this.#wanted[this.#next]) {
      this.#wanted[this.#next++] = undefined;
      this.#coming.set(next.id, next.content);
      this.#say({ type: PacketType.request, id: next.id });
    }
    if (!this.#isListed || this.#coming.size > 0 || this.#isFinished) return;
    this.#isFinished = true;
    this.#say({ type: PacketType.finish });
  }

  /** What is to be said while a piece of the connection is read goes together. */
  #say(packet: Parameters<typeof Packet.encode>[0]): void {
    if (this.#asking.push(Packet.encode(packet)) > 1) return;
    setImmediate(() => {
      const said = this.#stream.send(...this.#asking);
      this.#asking = [];
      said.catch(() => {}); // whoever receives hears why
      if (this.#isFinished) this.#stream.end();
    });
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
