import { Failure, isFailure } from '../lib/error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { Digester } from '../oci/digest.ts';
import type { RegistryConnection } from './connection.ts';
import { bodyOf, discard } from './http.ts';
import { isPassing, pause } from './retry.ts';

export interface ReadBlobOptions {
  /** URLs to try in order, relative to the registry or complete. */
  readonly places: readonly string[];
  readonly scopes: readonly string[];
  /** Bytes to leave out; what follows them alone has no digest that could be compared. Default 0. */
  readonly start?: number;
  /** Told in milliseconds, before each wait for another try. */
  readonly onPause?: (milliseconds: number) => void;
  readonly signal: AbortSignal;
}

/** Times in a row that a transfer may break off without a byte. */
const BREAKS = 5;

/** See `Repository.blob`. */
export async function* readBlob(
  connection: RegistryConnection,
  descriptor: Descriptor,
  options: ReadBlobOptions,
): AsyncGenerator<Buffer> {
  const { digest, size } = descriptor;
  const { places, signal, onPause, start = 0 } = options;
  const digester = new Digester();
  const end = size - start;
  let place = 0;
  let breaks = 0;
  while (digester.size < end || (end === 0 && breaks === 0)) {
    const before = digester.size;
    try {
      for await (const chunk of bytesFrom(connection, places[place] ?? '', start + before, options)) {
        if (digester.size + chunk.length > end) throw tooLong(descriptor);
        digester.update(chunk);
        yield chunk;
      }
      if (digester.size === end) break;
      throw new Failure('unavailable', 'REGISTRY_UNREACHABLE', `blob ${digest}: unexpected EOF`);
    } catch (error) {
      if (digester.size > before) breaks = 0;
      if (isPassing(error) && ++breaks < BREAKS)
        await pause(error, breaks - 1, { signal, onPause, ...connection.retryOptions });
      else if (
        isFailure(error) &&
        error.kind !== 'cancelled' &&
        error.kind !== 'data-loss' &&
        place + 1 < places.length
      )
        place++;
      else throw error;
    }
  }
  if (start === 0 && digester.digest() !== digest)
    throw new Failure('data-loss', 'BLOB_DIGEST', `filesystem layer verification failed for digest ${digest}`);
}

/** The bytes of one try, from an offset on. A registry that knows no ranges sends all again. */
async function* bytesFrom(
  connection: RegistryConnection,
  url: string,
  from: number,
  { scopes, signal }: ReadBlobOptions,
): AsyncGenerator<Buffer> {
  const headers = from === 0 ? {} : { range: `bytes=${from}-` };
  const answer = await connection.send({ method: 'GET', url, headers, scopes, expect: [200, 206], signal });
  let skip = answer.status === 206 ? 0 : from;
  if (answer.status === 206 && !String(answer.headers['content-range']).startsWith(`bytes ${from}-`)) {
    discard(answer);
    throw new Failure('unavailable', 'RANGE_WRONG', `${answer.url.host} answers with another range than was asked for`);
  }
  for await (const chunk of bodyOf(answer, signal)) {
    const skipped = Math.min(skip, chunk.length);
    skip -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

function tooLong({ digest, size }: Descriptor): Failure {
  return new Failure('data-loss', 'BLOB_TOO_LONG', `blob ${digest} is longer than the ${size} bytes of its descriptor`);
}
