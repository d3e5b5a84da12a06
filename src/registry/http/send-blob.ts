import type { ServerResponse } from 'node:http';
import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '../../lib/error.ts';
import type { BlobReader } from '../blob-storage.ts';
import type { ByteRange } from './byte-range.ts';

const PIECE = 512 << 10;
const MOST_SPARE = 64;
/** Pieces after which others get their turn, however fast this client is. */
const TURN = 4;
const spare: Buffer[] = [];

/** Sends a part of a blob as the body of an answer whose head is written. The next piece is read while one is sent. */
export async function sendBlob(response: ServerResponse, reader: BlobReader, { start, end }: ByteRange): Promise<void> {
  if (end - start <= PIECE) return await sendWhole(response, reader, start, end - start);
  const buffers = [takeBuffer(), takeBuffer()];
  let sending: Promise<void> = Promise.resolve();
  for (let at = start, turn = 0; at < end; turn++) {
    const buffer = buffers[turn % 2];
    if (!buffer) break;
    const read = await reader.read(buffer, at, Math.min(PIECE, end - at));
    if (read === 0) throw short();
    await sending;
    sending = write(response, buffer.subarray(0, read));
    sending.catch(() => {}); // awaited above, or given up after another failure
    at += read;
    if (turn % TURN === TURN - 1) await breathe();
  }
  await sending;
  // Only now: the kernel may still read from the buffers of a connection that was cut.
  for (const buffer of buffers) if (spare.length < MOST_SPARE) spare.push(buffer);
  response.end();
}

async function sendWhole(response: ServerResponse, reader: BlobReader, start: number, length: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const read = await reader.read(buffer.subarray(filled), start + filled, length - filled);
    if (read === 0) throw short();
    filled += read;
  }
  response.end(buffer);
}

/** Resolves when the bytes have left; a connection that was cut tells so by closing alone. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Failure('cancelled', 'CLIENT_GONE', 'the client has gone'));
    if (response.destroyed) return gone();
    response.once('close', gone);
    response.write(bytes, (error) => {
      response.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });
}

function takeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(PIECE);
}

function short(): Failure {
  return new Failure('data-loss', 'BLOB_SHORT', 'a stored blob is shorter than it was');
}
