import { Failure } from '../../lib/error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, Digester, parseDigest } from '../../oci/digest.ts';
import { decodeManifest, MANIFEST_LIMIT } from '../../oci/manifest.ts';
import { type BlobSource, readWhole } from '../../remote/blob-source.ts';

/** Blobs that a client has, by digest. Nothing that comes from there was checked. */
export interface ClientContent {
  /** Bytes of a blob; undefined when the client has none of that digest. */
  size(digest: Digest, options: { readonly signal: AbortSignal }): Promise<number | undefined>;
  read(blob: Pick<Descriptor, 'digest' | 'size'>, options: { readonly signal: AbortSignal }): AsyncIterable<Buffer>;
}

/** A client's blobs as those of a registry: what it gives is compared with what was asked for. */
export function contentSource(content: ClientContent): BlobSource {
  return {
    async manifest(reference, signal) {
      const digest = parseDigest(reference);
      const size = await content.size(digest, { signal });
      if (size === undefined)
        throw new Failure('not-found', 'MANIFEST_UNKNOWN', `the client has no manifest ${digest}`);
      const read = () => verified(content, { digest, size }, signal);
      return decodeManifest(await readWhole({ mediaType: '', digest, size }, MANIFEST_LIMIT, read), undefined);
    },
    readBlob: (descriptor, limit, signal) => readWhole(descriptor, limit, () => verified(content, descriptor, signal)),
    blob: (descriptor, { signal }) => verified(content, descriptor, signal),
  };
}

async function* verified(
  content: ClientContent,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const digester = new Digester();
  for await (const chunk of content.read({ digest, size }, { signal })) {
    if (digester.size + chunk.length > size) throw wrong(digest, `the client sends more than its ${size} bytes`);
    digester.update(chunk);
    yield chunk;
  }
  if (digester.size < size) throw wrong(digest, `the client sends ${digester.size} of its ${size} bytes`);
  if (digester.digest() !== digest) throw wrong(digest, 'the client sends something else');
}

const wrong = (digest: Digest, what: string): Failure =>
  new Failure('data-loss', 'BLOB_DIGEST', `blob ${digest}: ${what}`);
