import type { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { Failure, isFailure } from '../../../lib/error.ts';
import { type TarEntry, TarReader } from '../../../tar/tar-reader.ts';
import type { GrpcStream } from '../grpc/client.ts';
import { goMode, Packet, PacketType } from '../shapes/fsutil.ts';
import { byteStream } from './byte-stream.ts';
import type { ClientSession } from './sessions.ts';

/** moby.filesync.v1.FileSend: github.com/moby/buildkit, session/filesync/filesync.proto */
const METHOD = 'moby.filesync.v1.FileSend/DiffCopy';
/** Bytes of contents that wait for the client to ask for them. */
const HELD_BYTES = 4 << 20;

interface SendOptions {
  /** Which of the client's outputs it is for. */
  readonly index: number;
  readonly signal: AbortSignal;
}

type Receiver = Pick<ClientSession, 'has' | 'grpc'>;

/** Gives a client what it writes to a file. Resolves when the client has it all. */
export async function sendArchive(session: Receiver, archive: Readable, { index, signal }: SendOptions): Promise<void> {
  const stream = byteStream(open(session, { index, signal }));
  stream.resume(); // says nothing, but how it ends
  try {
    await pipeline(archive, stream, { signal, end: true });
    await finished(stream, { signal });
  } catch (error) {
    if (isFailure(error, 'exists')) throw new Failure('exists', 'OUTPUT_EXISTS', 'the output is there already');
    throw error;
  } finally {
    stream.destroy();
  }
}

/**
 * Gives a client a tree that it unpacks into a folder: lists the files of a tar in the order of a walk, and sends the contents
 * that it asks for. `progress` hears how many bytes were sent.
 */
export async function sendTree(
  session: Receiver,
  tar: Readable,
  { index, signal, progress }: SendOptions & { readonly progress?: (bytes: number) => void },
): Promise<void> {
  const stream = open(session, { index, signal });
  const sender = new TreeSender(stream, progress);
  try {
    await Promise.all([sender.listen(), sender.send(tar)]);
  } catch (error) {
    throw sender.refusal ?? error;
  } finally {
    tar.destroy();
    stream.close();
  }
}

function open(session: Receiver, { index, signal }: SendOptions): GrpcStream {
  if (!session.has(METHOD)) throw new Failure('invalid', 'CLIENT_OUTPUT', 'the client of the session takes no files');
  return session.grpc.open(METHOD, { metadata: { 'buildkit-attachable-exporter-id': String(index) }, signal });
}

/** A file whose content is on its way. */
interface Content {
  readonly pieces: Buffer[];
  isWanted: boolean;
  isWhole: boolean;
}

class TreeSender {
  /** What the client has against the tree. */
  refusal: Failure | undefined;
  readonly #stream: GrpcStream;
  readonly #progress: ((bytes: number) => void) | undefined;
  readonly #contents = new Map<number, Content>();
  #held = 0;
  #sent = 0;
  #isOver = false;
  #asked = Promise.withResolvers<void>();

  constructor(stream: GrpcStream, progress: ((bytes: number) => void) | undefined) {
    this.#stream = stream;
    this.#progress = progress;
  }

  /** Hears what the client asks for, until it ends the call. */
  async listen(): Promise<void> {
    try {
      for await (const bytes of this.#stream.received) {
        const { type, id, data } = Packet.decode(bytes);
        if (type === PacketType.error) {
          this.refusal = new Failure('invalid', 'CLIENT_OUTPUT', Buffer.from(data).toString('utf8').slice(0, 4096));
          throw this.refusal;
        }
        if (type === PacketType.request) {
          const content = this.#contents.get(id);
          if (!content)
            throw new Failure('invalid', 'CLIENT_OUTPUT', `the client asks for no file of the output: ${id}`);
          content.isWanted = true;
        }
        if (type === PacketType.finish) {
          await this.#stream.send(Packet.encode({ type: PacketType.finish }));
          this.#stream.end();
          this.#isOver = true;
        }
        this.#wake();
      }
    } finally {
      this.#isOver = true;
      this.#wake();
    }
  }

  /** Lists the tree, and sends what is asked for until the client has enough. */
  async send(tar: Readable): Promise<void> {
    let count = 0;
    let current: Content | undefined;
    const listed: { readonly id: number; readonly entry: TarEntry }[] = [];
    const add = (piece: Buffer) => {
      current?.pieces.push(piece);
      this.#held += piece.length;
    };
    const reader = new TarReader({
      entry: (entry) => {
        if (entry.path === '') return;
        const id = count++;
        listed.push({ id, entry });
        if (entry.type !== 'file') return;
        current = { pieces: [], isWanted: false, isWhole: false };
        this.#contents.set(id, current);
      },
      data: (bytes) => add(Buffer.from(bytes)),
      hole: (length) => {
        for (let left = length; left > 0; left -= ZEROS.length) add(ZEROS.subarray(0, left));
      },
      close: () => {
        if (current) current.isWhole = true;
        current = undefined;
      },
      raw() {},
    });
    for await (const chunk of tar) {
      reader.push(chunk);
      for (const { id, entry } of listed.splice(0)) await this.#list(id, entry);
      await this.#sendWanted(HELD_BYTES);
      if (this.#isOver) return;
    }
    reader.end();
    await this.#stream.send(Packet.encode({ type: PacketType.stat }));
    await this.#sendWanted(0);
  }

  /** Sends until no more than so many bytes wait, or the client has enough. */
  async #sendWanted(held: number): Promise<void> {
    for (;;) {
      this.#asked = Promise.withResolvers();
      for (const [id, content] of this.#contents) if (content.isWanted) await this.#sendContent(id, content);
      const isDone = held === 0 ? this.#isOver : this.#isOver || this.#held <= held;
      if (isDone) return;
      await this.#asked.promise;
    }
  }

  async #sendContent(id: number, content: Content): Promise<void> {
    for (const data of content.pieces.splice(0)) {
      await this.#stream.send(Packet.encode({ type: PacketType.data, id, data }));
      this.#held -= data.length;
      this.#sent += data.length;
      this.#progress?.(this.#sent);
    }
    if (!content.isWhole) return;
    this.#contents.delete(id);
    await this.#stream.send(Packet.encode({ type: PacketType.data, id }));
  }

  async #list(id: number, entry: TarEntry): Promise<void> {
    const { path, type, mode, uid, gid, size, mtime, mtimeNsec, linkTarget = '', device, xattrs } = entry;
    const stat = {
      path: path.replace(/\/$/, ''),
      mode: modeOf(type, mode),
      uid,
      gid,
      size,
      modified: BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNsec),
      link: linkTarget,
      major: device?.major ?? 0,
      minor: device?.minor ?? 0,
      xattrs: xattrs ?? new Map<string, Uint8Array>(),
    };
    await this.#stream.send(Packet.encode({ type: PacketType.stat, id, stat }));
  }

  #wake(): void {
    this.#asked.resolve();
  }
}

const ZEROS = Buffer.alloc(64 << 10);

function modeOf(type: TarEntry['type'], mode: number): number {
  if (type === 'hardlink') return goMode('file', mode);
  if (type === 'whiteout' || type === 'opaque') throw new Error(`a tree has a ${type}`);
  return goMode(type, mode);
}
