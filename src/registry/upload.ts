import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure, messageOf } from '../lib/error.ts';
import { type BlobWriter, blobKey, type UploadProgress } from './blob-storage.ts';
import { Refusal } from './codes.ts';
import { type Algorithm, algorithmOf, type ContentDigest, ContentDigester } from './content-digest.ts';
import type { StoredBlob, Upload } from './metadata-store.ts';
import type { RepositoryName } from './names.ts';
import { discardKeys, type Registry, termsOf } from './registry.ts';

/** How long a claim lasts that its holder does not renew, and how often it does. Milliseconds. */
const CLAIM = 15_000;
const RENEWAL = 5_000;
/** How often somebody looks who waits for a claim to end. */
const LOOK = 500;
const READ_SIZE = 1 << 20;

/** Bytes of a request. */
export interface Incoming {
  readonly chunks: AsyncIterable<Buffer>;
  /** Where the bytes go according to the request, `end` inclusive; undefined: after those that are there. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
}

export async function startUpload(
  registry: Registry,
  repository: RepositoryName,
  algorithm: Algorithm,
): Promise<Upload> {
  const id = randomUUID();
  const upload: Upload = { id, key: blobKey(id), algorithm, size: 0, resume: '' };
  await registry.metadata.createUpload(repository, upload, Date.now() + registry.policy.lease);
  return upload;
}

/**
 * Adds bytes to an upload; how many it has then. When they stop arriving, those that came count. Throws RANGE_INVALID when they
 * belong somewhere else, SIZE_INVALID when they are not as many as said; then nothing has changed.
 */
export async function appendToUpload(
  registry: Registry,
  repository: RepositoryName,
  id: string,
  incoming: Incoming,
): Promise<number> {
  return await withClaim(registry, repository, id, async (claim) => {
    await receive(registry, claim, incoming);
    return claim.progress.size;
  });
}

/**
 * Adds the last bytes, if any, and makes the upload a blob of its repository. Throws DIGEST_INVALID, after which the upload is
 * gone, and what `appendToUpload` throws.
 */
export async function commitUpload(
  registry: Registry,
  repository: RepositoryName,
  id: string,
  digest: ContentDigest,
  incoming: Incoming,
): Promise<void> {
  await withClaim(registry, repository, id, async (claim) => {
    await receive(registry, claim, incoming);
    await settle(registry, claim, digest);
  });
}

/**
 * Makes a file that the host of this machine hands over a blob of the repository: no byte of it moves. False when nothing was
 * handed over under this name. Throws DIGEST_INVALID.
 */
export async function takeHanded(
  registry: Registry,
  repository: RepositoryName,
  digest: ContentDigest,
  name: string,
): Promise<boolean> {
  const { handoff } = registry;
  if (!handoff) return false;
  const { id } = await startUpload(registry, repository, algorithmOf(digest));
  return await withClaim(registry, repository, id, async (claim) => {
    const progress = await handoff.take(name, claim.upload.key);
    if (progress === undefined) {
      await abandonUpload(registry, repository, id);
      return false;
    }
    claim.progress = progress;
    await settle(registry, claim, digest);
    return true;
  });
}

/** Forgets an upload and its bytes; false when there is none. */
export async function abandonUpload(registry: Registry, repository: RepositoryName, id: string): Promise<boolean> {
  const key = await registry.metadata.deleteUpload(repository, id);
  if (key === undefined) return false;
  registry.digests.forget(id);
  await discardKeys(registry, [key]);
  return true;
}

/** The right to be the only writer of an upload. */
interface Claim {
  readonly repository: RepositoryName;
  readonly upload: Upload;
  readonly holder: string;
  /** How far it is by now. */
  progress: UploadProgress;
}

async function withClaim<T>(
  registry: Registry,
  repository: RepositoryName,
  id: string,
  work: (claim: Claim) => Promise<T>,
): Promise<T> {
  const { metadata, policy, log } = registry;
  const holder = randomUUID();
  const ask = () => {
    const now = Date.now();
    return metadata.claimUpload(repository, id, { holder, now, claimEnd: now + CLAIM, leaseEnd: now + policy.lease });
  };
  const upload = await whenFree(ask);
  const claim: Claim = { repository, upload, holder, progress: upload };
  const renewal = setInterval(() => {
    ask().catch((error) => log.warn('cannot renew a claim', { upload: id, error: messageOf(error) }));
  }, RENEWAL);
  try {
    return await work(claim);
  } finally {
    clearInterval(renewal);
    await metadata.releaseUpload(id, holder, claim.progress);
  }
}

/** Waits for the claim of a node that died, which nobody renews. Throws BLOB_UPLOAD_INVALID when its holder lives. */
async function whenFree(ask: () => ReturnType<Registry['metadata']['claimUpload']>): Promise<Upload> {
  let first: number | undefined;
  for (const start = performance.now(); ; await sleep(LOOK)) {
    const found = await ask();
    if (found === 'unknown') throw new Refusal('BLOB_UPLOAD_UNKNOWN');
    if (!('takenUntil' in found)) return found;
    first ??= found.takenUntil;
    const isRenewed = found.takenUntil !== first;
    // The clock of a node that died may have been ahead.
    if (isRenewed || performance.now() - start > CLAIM + RENEWAL)
      throw new Refusal('BLOB_UPLOAD_INVALID', { message: 'another request is writing to this upload', status: 409 });
  }
}

async function receive(registry: Registry, claim: Claim, { chunks, range }: Incoming): Promise<void> {
  const { repository, upload } = claim;
  if (range && range.start !== upload.size)
    throw new Refusal('RANGE_INVALID', { headers: uploadHeaders(repository, upload.id, upload.size) });
  const { blobs, digests, policy } = registry;
  const source = arriving(chunks);
  const first = await source.next();
  if (first === undefined && source.failure === undefined && !range) return;
  const digester =
    digests.take(upload.id, upload) ?? (upload.size === 0 ? new ContentDigester(upload.algorithm) : undefined);
  try {
    const quota = policy.quotaOf(repository);
    const bytes = { first, source, digester, start: upload.size, quota };
    const progress = await store(await blobs.write(upload.key, upload), bytes);
    if (source.failure === undefined && range && progress.size - upload.size !== range.end - range.start + 1)
      throw new Refusal('SIZE_INVALID', { detail: { ...range, received: progress.size - upload.size } });
    if (digester) digests.rest(upload.id, digester, progress);
    claim.progress = progress;
  } catch (error) {
    // What cannot be stored does not wait for somebody to go on with it: a full disk gets its room back.
    if (isFailure(error, 'exhausted')) {
      await blobs.delete(upload.key); // first: the metadata may be on the same disk
      await abandonUpload(registry, repository, upload.id);
    }
    // Nobody can go on with it.
    if (isFailure(error, 'data-loss') || isFailure(error, 'denied'))
      await abandonUpload(registry, repository, upload.id);
    throw error;
  }
  if (source.failure !== undefined) throw source.failure;
}

interface Bytes {
  readonly first: Buffer | undefined;
  readonly source: Arriving;
  readonly digester: ContentDigester | undefined;
  /** How many are there already. */
  readonly start: number;
  /** How many there may be. */
  readonly quota: number | undefined;
}

async function store(
  writer: BlobWriter,
  { first, source, digester, start, quota = Number.POSITIVE_INFINITY }: Bytes,
): Promise<UploadProgress> {
  let size = start;
  try {
    for (let chunk = first; chunk !== undefined; chunk = await source.next()) {
      size += chunk.length;
      // What else the repository has is counted when the blob is whole, and may be the same.
      if (size > quota)
        throw new Refusal('DENIED', {
          message: `quota exceeded: the repository may have ${quota} bytes, and this blob has more`,
          detail: { quota },
        });
      digester?.update(chunk);
      const wait = writer.write(chunk);
      if (wait) await wait;
    }
  } catch (error) {
    await writer.close().catch(() => {});
    throw error;
  }
  return await writer.close();
}

interface Arriving {
  /** Undefined at the end, and when nothing more comes because of `failure`. */
  next(): Promise<Buffer | undefined>;
  readonly failure: unknown;
}

/** Bytes from elsewhere: that they stop is no reason to lose those that came. */
function arriving(chunks: AsyncIterable<Buffer>): Arriving {
  const iterator = chunks[Symbol.asyncIterator]();
  let failure: unknown;
  return {
    async next() {
      try {
        const result = await iterator.next();
        return result.done === true ? undefined : result.value;
      } catch (error) {
        failure = error;
        return undefined;
      }
    },
    get failure() {
      return failure;
    },
  };
}

/** Makes the bytes that are there the blob `digest`, or gives them up. */
async function settle(registry: Registry, claim: Claim, digest: ContentDigest): Promise<void> {
  const { metadata, blobs } = registry;
  const { repository, upload, progress, holder } = claim;
  const { size } = progress;
  const { computed, isStored } = await digestOfUpload(registry, claim, algorithmOf(digest));
  if (computed !== digest) {
    await abandonUpload(registry, repository, upload.id);
    throw new Refusal('DIGEST_INVALID', { detail: { digest, computed, size } });
  }
  const terms = termsOf(registry, repository);
  const known = await metadata.findContent(digest);
  const isWhole = known !== undefined && (await isThere(registry, known));
  try {
    // Who has the bytes may have those that are here already; the new ones need not wait for the disk.
    if (isWhole && (await metadata.mountBlob(repository, digest, { from: undefined }, terms))) {
      await abandonUpload(registry, repository, upload.id);
      return;
    }
    if (
      !isStored &&
      !(await blobs.finish(upload.key, progress)) &&
      (await storedDigest(registry, claim, algorithmOf(digest))) !== digest
    )
      throw new Failure('data-loss', 'UPLOAD_CHANGED', `upload ${upload.id} is not what was written to it`);
    const damaged = isWhole ? undefined : known?.key;
    const spare = await metadata
      .commitUpload({ id: upload.id, holder }, { digest, size, damaged }, terms)
      .catch(async (error) => {
        if (isUnknown(error) && (await isCommitted(registry, claim, digest))) return undefined;
        throw error;
      });
    if (spare !== undefined) await discardKeys(registry, [spare]);
  } catch (error) {
    if (isFailure(error, 'denied') || isFailure(error, 'data-loss'))
      await abandonUpload(registry, repository, upload.id);
    throw error;
  }
}

/** `isStored`: computed of the bytes as they lie finished in the storage. */
async function digestOfUpload(
  registry: Registry,
  claim: Claim,
  algorithm: Algorithm,
): Promise<{ readonly computed: ContentDigest; readonly isStored: boolean }> {
  const { upload, progress } = claim;
  const known = registry.digests.take(upload.id, progress);
  if (known?.algorithm === algorithm) return { computed: known.digest(), isStored: false };
  // Another node saw its bytes, or another process. Only now a storage need let them be read.
  await registry.blobs.finish(upload.key, progress);
  return { computed: await storedDigest(registry, claim, algorithm), isStored: true };
}

async function storedDigest(
  { blobs }: Registry,
  { upload, progress }: Claim,
  algorithm: Algorithm,
): Promise<ContentDigest> {
  const digester = new ContentDigester(algorithm);
  await using reader = await blobs.open(upload.key, { start: 0, end: progress.size });
  const buffer = Buffer.allocUnsafe(READ_SIZE);
  while (reader && digester.size < progress.size) {
    const length = Math.min(buffer.length, progress.size - digester.size);
    const read = await reader.read(buffer, digester.size, length);
    if (read === 0) break;
    digester.update(buffer.subarray(0, read));
  }
  return digester.digest();
}

const isUnknown = (error: unknown) => error instanceof Refusal && error.code === 'BLOB_UPLOAD_UNKNOWN';

/** Whether an upload that is gone became the blob, by a commit whose answer was lost. */
async function isCommitted(
  { metadata }: Registry,
  { repository, upload }: Claim,
  digest: ContentDigest,
): Promise<boolean> {
  if ((await metadata.findUpload(repository, upload.id)) !== undefined) return false;
  return (await metadata.findBlob(repository, digest)) !== undefined;
}

async function isThere({ blobs }: Registry, { key, size }: StoredBlob): Promise<boolean> {
  await using reader = await blobs.open(key);
  return reader?.size === size;
}

/** How far an upload is and where it goes on, as every answer about it says. */
export function uploadHeaders(repository: RepositoryName, id: string, size: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(size - 1, 0)}`,
    'Docker-Upload-UUID': id,
  };
}
