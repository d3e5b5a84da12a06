import type { Duplex } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { Failure } from '../lib/error.ts';

/**
 * Decompresses a zstd stream of any number of frames. Node's decoder stops after the first frame without a word, so the
 * frames are cut apart here and each gets a decoder; frames to be skipped (metadata of zstd:chunked, pzstd) are left out.
 * https://www.rfc-editor.org/rfc/rfc8878#name-zstandard-frames
 */
export async function* expandZstd(
  source: AsyncIterable<Buffer>,
  through: (frame: AsyncIterable<Buffer>, stream: Duplex) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const input = new ByteSource(source);
  try {
    while (await input.has(1)) {
      const magic = (await input.take(4)).readUInt32LE();
      if (magic === FRAME_MAGIC) yield* through(frameBytes(input), createZstdDecompress({ chunkSize: CHUNK }));
      else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC)
        for await (const _ of input.pass((await input.take(4)).readUInt32LE()));
      else throw new Failure('invalid', 'COMPRESSED_INVALID', 'corrupt zstd data: bytes that are not a frame');
    }
  } finally {
    await input.close();
  }
}

/** The bytes of one frame, its magic number already taken. */
async function* frameBytes(input: ByteSource): AsyncGenerator<Buffer> {
  const descriptor = await input.take(1);
  const flags = descriptor[0] ?? 0;
  const isSingleSegment = (flags & 0x20) !== 0;
  const sizeFlag = flags >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(FRAME_MAGIC);
  yield Buffer.concat([magic, descriptor, await input.take((isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes)]);
  for (let last = false; !last; ) {
    const header = await input.take(3);
    const value = header.readUIntLE(0, 3);
    last = (value & 1) === 1;
    const isRepeat = ((value >> 1) & 3) === 1;
    yield header;
    yield* input.pass(isRepeat ? 1 : value >> 3);
  }
  if ((flags & 4) !== 0) yield await input.take(4);
}

/** Bytes of a stream on demand. */
class ByteSource {
  readonly #iterator: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Whether `length` more bytes come; keeps them. */
  async has(length: number): Promise<boolean> {
    while (this.#chunk.length < length) {
      const { done, value } = await this.#iterator.next();
      if (done) return false;
      this.#chunk = this.#chunk.length === 0 ? value : Buffer.concat([this.#chunk, value]);
    }
    return true;
  }

  /** Exactly `length` bytes; for short pieces. */
  async take(length: number): Promise<Buffer> {
    if (!(await this.has(length))) throw truncated();
    const bytes = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return bytes;
  }

  /** Exactly `length` bytes, in pieces as they come. */
  async *pass(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      if (!(await this.has(1))) throw truncated();
      const bytes = this.#chunk.subarray(0, left);
      this.#chunk = this.#chunk.subarray(bytes.length);
      left -= bytes.length;
      yield bytes;
    }
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const CHUNK = 256 << 10;
const truncated = () => new Failure('invalid', 'COMPRESSED_INVALID', 'corrupt zstd data: unexpected end');
