import { Failure } from '../lib/error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ImageIndex, ImageManifest, LayerDescriptor } from '../oci/manifest.ts';

/** Where images come from. What it gives is what its digest says, else the Failure is `data-loss`. */
export interface BlobSource {
  /** By tag or digest. */
  manifest(reference: string, signal: AbortSignal): Promise<ImageManifest | ImageIndex>;
  /** A whole blob of at most `limit` bytes. */
  readBlob(descriptor: Descriptor, limit: number, signal: AbortSignal): Promise<Buffer>;
  /** What comes before its end may be wrong. `onPause` is told in milliseconds, before each wait for another try. */
  blob(
    descriptor: LayerDescriptor,
    options: { readonly signal: AbortSignal; readonly onPause?: (milliseconds: number) => void },
  ): AsyncIterable<Buffer>;
}

/** `BlobSource.readBlob`, of what `BlobSource.blob` gives. */
export async function readWhole(
  { digest, size }: Descriptor,
  limit: number,
  open: () => AsyncIterable<Uint8Array>,
): Promise<Buffer> {
  if (size > limit)
    throw new Failure('invalid', 'BLOB_TOO_LARGE', `blob ${digest} of ${size} bytes is over the limit of ${limit}`);
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  for await (const chunk of open()) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes;
}
