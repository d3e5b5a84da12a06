import { Refusal } from '../codes.ts';
import { parseContentDigest } from '../content-digest.ts';
import type { Registry } from '../registry.ts';
import { byteRange } from './byte-range.ts';
import { answer, answerHead, type RepositoryExchange } from './exchange.ts';
import { sendBlob } from './send-blob.ts';

/** GET and HEAD of a blob, with ranges. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs */
export async function getBlob(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, request, response } = exchange;
  const digest = parseContentDigest(exchange.reference);
  const blob = await registry.metadata.findBlob(repository, digest);
  const size = blob?.size ?? (await registry.mirror?.sizeOf(repository, digest));
  if (size === undefined) throw new Refusal('BLOB_UNKNOWN', { detail: { digest } });
  const etag = `"${digest}"`;
  const { 'if-none-match': noneMatch, 'if-range': ifRange } = request.headers;
  if (noneMatch === etag) return answer(response, 304, { ETag: etag });
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'max-age=31536000',
  };
  if (request.method === 'HEAD') {
    // Who asks may be about to push a manifest that names it, and to leave the blob out because it is here.
    const { lease } = registry.policy;
    if (blob && blob.leaseEnd !== null && blob.leaseEnd < Date.now() + lease / 2)
      if (!(await registry.metadata.extendLease(repository, digest, Date.now() + lease)))
        throw new Refusal('BLOB_UNKNOWN', { detail: { digest } });
    return answer(response, 200, { ...headers, 'Content-Length': size });
  }

  const range = ifRange === undefined || ifRange === etag ? byteRange(request.headers.range, size) : undefined;
  if (range === 'outside')
    throw new Refusal('RANGE_INVALID', {
      message: `range "${request.headers.range}" is outside of the ${size} bytes of the blob`,
      headers: { 'Content-Range': `bytes */${size}` },
    });
  const link = blob && (await registry.blobs.link?.(blob.key));
  if (link !== undefined) return answer(response, 307, { Location: link, 'Docker-Content-Digest': digest });
  await using reader = await (blob
    ? registry.blobs.open(blob.key, range ?? { start: 0, end: size })
    : registry.mirror?.openBlob(repository, digest));
  if (!reader) throw new Refusal('BLOB_UNKNOWN', { detail: { digest } });
  if (reader.size !== size) throw new Refusal('UNKNOWN', { message: `blob ${digest} is damaged here` });
  const { start, end } = range ?? { start: 0, end: size };
  const partial = range && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` };
  answerHead(response, range ? 206 : 200, { ...headers, ...partial, 'Content-Length': end - start });
  await sendBlob(response, reader, { start, end });
}

/** DELETE of a blob that no manifest of the repository names. */
export async function deleteBlob(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const digest = parseContentDigest(exchange.reference);
  const outcome = await registry.metadata.unlinkBlob(exchange.repository, digest);
  if (outcome === 'unknown') throw new Refusal('BLOB_UNKNOWN', { detail: { digest } });
  if (outcome === 'in-use')
    throw new Refusal('UNSUPPORTED', {
      message: 'a manifest names this blob: delete the manifest, the blob then goes by itself',
      detail: { digest },
    });
  answer(exchange.response, 202, {});
}
