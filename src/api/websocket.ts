/** The server's side of a web socket that carries bytes. https://www.rfc-editor.org/rfc/rfc6455 */
import { createHash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { Failure } from '../lib/error.ts';
import type { Exchange } from './exchange.ts';
import type { Connection } from './hijack.ts';
import { drained } from './stream.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CONTROL = 0x8;
const CLOSE = 0x8;
const PING = 0x9;
const LARGEST_CONTROL = 125;

/**
 * Answers the handshake. What the client sends arrives unpacked; what a process says leaves as binary messages (text before
 * API 1.28), both outputs as one. Frames of any length pass in the pieces in which they come.
 */
export function openWebSocket(exchange: Exchange, contentType: string, tty: boolean): Connection {
  const key = exchange.header('sec-websocket-key');
  if (key === undefined || exchange.header('upgrade')?.toLowerCase() !== 'websocket')
    throw new Failure('invalid', 'NO_WEBSOCKET', 'bad request: this needs a websocket handshake');
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  exchange.response.setHeader('Sec-WebSocket-Accept', accept);
  const { from, to } = exchange.hijack(contentType);
  const opcode = exchange.version >= 28 ? 0x2 : 0x1;
  return {
    from: Readable.from(received(from, to), { objectMode: false }),
    to,
    sent: (output) => Readable.from(messages(tty ? output : payloads(output), opcode), { objectMode: false }),
  };
}

async function* messages(chunks: AsyncIterable<Buffer>, opcode: number): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    yield header(opcode, chunk.length);
    yield chunk;
  }
  yield Buffer.from([0x80 | CLOSE, 2, 1000 >> 8, 1000 & 0xff]); // a normal end
}

function header(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length <= LARGEST_CONTROL) return Buffer.from([first, length]);
  const head = Buffer.alloc(length < 0x10000 ? 4 : 10);
  head[0] = first;
  head[1] = length < 0x10000 ? 126 : 127;
  if (length < 0x10000) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** What is in the frames of a process's output without a terminal: 4 bytes, the length, the payload. */
async function* payloads(output: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const bytes = new ByteReader(output);
  for (let head = await bytes.take(8); head; head = await bytes.take(8)) yield* bytes.pieces(head.readUInt32BE(4));
}

/** The data that a client sends, until it closes. Pings are answered. */
async function* received(from: AsyncIterable<Buffer>, to: Writable): AsyncGenerator<Buffer> {
  const bytes = new ByteReader(from);
  for (let head = await bytes.take(2); head; head = await bytes.take(2)) {
    const [first = 0, second = 0] = head;
    const opcode = first & 0xf;
    if ((second & 0x80) === 0) throw broken('a frame of a client that is not masked');
    const length = await lengthOf(second & 0x7f, bytes);
    const mask = await bytes.take(4);
    if (!mask) return;
    if ((opcode & CONTROL) !== 0 && length > LARGEST_CONTROL) throw broken('a control frame that is too long');
    if (opcode === CLOSE) return;
    let at = 0;
    for await (const piece of bytes.pieces(length)) {
      const plain = Buffer.from(piece);
      for (let index = 0; index < plain.length; index++) plain[index] = (plain[index] ?? 0) ^ (mask[at++ & 3] ?? 0);
      if ((opcode & CONTROL) === 0) yield plain;
      else if (opcode === PING && !to.destroyed && !to.write(Buffer.concat([header(0xa, plain.length), plain])))
        await drained(to);
    }
  }
}

async function lengthOf(short: number, bytes: ByteReader): Promise<number> {
  if (short < 126) return short;
  const more = await bytes.take(short === 126 ? 2 : 8);
  if (!more) return 0;
  const length = short === 126 ? more.readUInt16BE(0) : Number(more.readBigUInt64BE(0));
  if (!Number.isSafeInteger(length)) throw broken('a frame that is too long');
  return length;
}

function broken(what: string): Failure {
  return new Failure('invalid', 'WEBSOCKET_BROKEN', `broken websocket: ${what}`);
}

/** Takes a stream of chunks apart at other places, without gathering more than was asked for. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** A few bytes together; undefined when the stream ends before. */
  async take(count: number): Promise<Buffer | undefined> {
    while (this.#rest.length < count) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  /** The next `count` bytes as they come. */
  async *pieces(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done) return;
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
}
