import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../lib/error.ts';
import type { BlobReader } from '../blob-storage.ts';
import type { Bucket } from './bucket.ts';
import { headObject, lost, type ObjectHead } from './objects.ts';
import { storeFailure } from './store-error.ts';

/** How often a body is asked for again that breaks off without a byte. */
const TRIES = 5;

/** A body that is being read. */
interface Source {
  readonly body: IncomingMessage;
  readonly chunks: AsyncIterator<Buffer>;
  /** Where in the object the next chunk begins. */
  at: number;
  readonly end: number;
  /** What is left of the last chunk. */
  spare: Buffer;
}

/**
 * Opens an object. With `range`, those bytes are asked for at once; reads that follow one another come from one answer, and from
 * another when it breaks off.
 */
export async function openObject(
  bucket: Bucket,
  name: string,
  range?: { readonly start: number; readonly end: number },
): Promise<BlobReader | undefined> {
  if (!range || range.end <= range.start) {
    const head = await headObject(bucket, name);
    return head && objectReader(bucket, name, head, undefined);
  }
  const headers = { range: `bytes=${range.start}-${range.end - 1}` };
  const body = await bucket.stream({ method: 'GET', name, headers }, [404, 416]);
  if (body.statusCode === 404) return undefined;
  if (body.statusCode === 416) return await openObject(bucket, name);
  const size = Number(/\/(\d+)$/.exec(body.headers['content-range'] ?? '')?.[1] ?? Number.NaN);
  if (body.statusCode !== 206 || !Number.isSafeInteger(size)) {
    body.destroy();
    return await openObject(bucket, name);
  }
  const head = { size, etag: body.headers.etag ?? '' };
  return objectReader(bucket, name, head, sourceOf(body, range.start, Math.min(range.end, size)));
}

function objectReader(bucket: Bucket, name: string, { size, etag }: ObjectHead, first: Source | undefined): BlobReader {
  let source = first;
  let limit = first?.end ?? size;

  const sourceAt = async (offset: number): Promise<Source> => {
    if (source?.at === offset && source.at < source.end) return source;
    source?.body.destroy();
    source = undefined;
    if (offset >= limit) limit = size;
    const headers = { range: `bytes=${offset}-${limit - 1}`, ...(etag !== '' && { 'if-match': etag }) };
    const body = await bucket.stream({ method: 'GET', name, headers }, [404, 412]);
    if (body.statusCode !== 206) throw lost(name);
    source = sourceOf(body, offset, limit);
    return source;
  };

  return {
    size,
    async read(buffer, offset, length) {
      const wanted = Math.min(length, size - offset);
      let filled = 0;
      for (let tried = 1; filled < wanted; ) {
        const from = await sourceAt(offset + filled);
        try {
          const bytes = await take(from, buffer.subarray(filled, wanted));
          if (bytes === 0) throw new Error('the answer ended early');
          filled += bytes;
          tried = 1;
        } catch (error) {
          source = undefined;
          from.body.destroy();
          if (tried++ === TRIES) throw storeFailure(new Error(messageOf(error), { cause: error }), bucket.address.name);
        }
      }
      return filled;
    },
    async [Symbol.asyncDispose]() {
      if (source && source.at < source.end) source.body.destroy();
    },
  };
}

function sourceOf(body: IncomingMessage, at: number, end: number): Source {
  body.on('error', () => {}); // also when nobody reads just now: the next read meets it
  return { body, chunks: body[Symbol.asyncIterator](), at, end, spare: Buffer.alloc(0) };
}

/** Moves bytes that come next into `buffer`; how many, 0 at the end. */
async function take(source: Source, buffer: Buffer): Promise<number> {
  if (source.spare.length === 0) {
    const next = await source.chunks.next();
    if (next.done === true) return 0;
    source.spare = next.value;
  }
  const bytes = source.spare.copy(buffer);
  source.spare = source.spare.subarray(bytes);
  source.at += bytes;
  // Only who has seen the end leaves the connection to others.
  if (source.at === source.end) await source.chunks.next().catch(() => {});
  return bytes;
}
