import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cancelled, Failure, messageOf, systemCode } from '../lib/error.ts';
import { MANIFEST_LIMIT } from '../oci/manifest.ts';
import { MediaType } from '../oci/media-type.ts';
import { blobKey } from './blob-storage.ts';
import { algorithmOf, type ContentDigest, contentDigestOf, parseContentDigest } from './content-digest.ts';
import type { FileBlobs } from './file-blobs.ts';
import { type ManifestDocument, readManifest } from './manifest-document.ts';
import { isRepositoryName, isTag, type RepositoryName, type Tag } from './names.ts';
import type { Registry } from './registry.ts';

const DIGEST_LIMIT = 200;
const DEPTH = 64;

/** One whose blobs are files. */
interface FileRegistry extends Registry {
  readonly files: FileBlobs;
}

export type ImportLine =
  | { readonly repository: string; readonly manifests: number; readonly tags: number }
  | { readonly problem: string };

/**
 * Takes over the data folder of Docker's registry: manifests into the database, the bytes of blobs as further names (hard links)
 * of the same files, so nothing is copied. Both folders must be on one file system. What is here already stays; `check` compares
 * the blobs with their digests. https://distribution.github.io/distribution/storage-drivers/filesystem/
 */
export async function* importDistribution(
  registry: FileRegistry,
  source: string,
  signal: AbortSignal,
): AsyncGenerator<ImportLine> {
  const root = [source, join(source, 'docker/registry/v2')].find((path) => existsSync(join(path, 'repositories')));
  if (root === undefined)
    throw new Failure('invalid', 'NO_DISTRIBUTION', `${source} is no data folder of docker-registry`, {
      hint: 'it holds docker/registry/v2/repositories',
    });
  for await (const path of repositoriesOf(join(root, 'repositories'), '', 0)) {
    if (signal.aborted) throw cancelled(signal);
    if (!isRepositoryName(path)) {
      yield { problem: `${path}: not a name of a repository` };
      continue;
    }
    yield* importRepository(registry, root, path);
  }
}

async function* importRepository(
  registry: FileRegistry,
  root: string,
  repository: RepositoryName,
): AsyncGenerator<ImportLine> {
  const folder = join(root, 'repositories', repository, '_manifests');
  const tags = await tagsOf(join(folder, 'tags'));
  const waiting: ManifestDocument[] = [];
  for (const algorithm of await names(join(folder, 'revisions')))
    for (const hex of await names(join(folder, 'revisions', algorithm))) {
      const link = await readLink(join(folder, 'revisions', algorithm, hex, 'link'));
      if (link === undefined) continue; // deleted there
      try {
        waiting.push(await readStored(root, link));
      } catch (error) {
        yield { problem: `${repository}@${link}: ${messageOf(error)}` };
      }
    }
  // The entries of an index come before it.
  waiting.sort((a, b) => a.manifests.length - b.manifests.length);
  let manifests = 0;
  let tagged = 0;
  for (const manifest of waiting) {
    const own = tags.get(manifest.digest) ?? [];
    try {
      for (const { digest, size, isElsewhere } of manifest.blobs)
        if (!isElsewhere || existsSync(dataPath(root, digest))) await adopt(registry, root, repository, digest, size);
      await registry.metadata.putManifest(repository, manifest, own);
      manifests++;
      tagged += own.length;
    } catch (error) {
      yield { problem: `${repository}@${manifest.digest}: ${messageOf(error)}` };
    }
  }
  yield { repository, manifests, tags: tagged };
}

/** Gives the bytes of a blob a name among ours, and the repository the blob. */
async function adopt(
  { metadata, files, policy }: FileRegistry,
  root: string,
  repository: RepositoryName,
  digest: ContentDigest,
  size: number,
): Promise<void> {
  if (await metadata.findBlob(repository, digest)) return;
  const leaseEnd = Date.now() + policy.lease;
  const terms = { leaseEnd, quota: undefined };
  if (await metadata.mountBlob(repository, digest, { from: undefined }, terms)) return;
  const path = dataPath(root, digest);
  const found = (await stat(path)).size;
  if (found !== size)
    throw new Failure('data-loss', 'BLOB_SHORT', `blob ${digest} has ${found} instead of ${size} bytes`);
  const id = randomUUID();
  const key = blobKey(id);
  await metadata.createUpload(repository, { id, key, algorithm: algorithmOf(digest), size, resume: '' }, leaseEnd);
  const holder = randomUUID();
  await metadata.claimUpload(repository, id, { holder, now: Date.now(), claimEnd: leaseEnd, leaseEnd });
  await files.adopt(key, path);
  await metadata.commitUpload({ id, holder }, { digest, size, damaged: undefined }, terms);
}

async function readStored(root: string, digest: ContentDigest): Promise<ManifestDocument> {
  const path = dataPath(root, digest);
  const { size } = await stat(path);
  if (size > MANIFEST_LIMIT) throw new Failure('invalid', 'MANIFEST_INVALID', `a manifest of ${size} bytes`);
  const bytes = await readFile(path);
  if (contentDigestOf(bytes, algorithmOf(digest)) !== digest)
    throw new Failure('data-loss', 'MANIFEST_DIGEST', 'its bytes have another digest');
  return readManifest(bytes, typeOf(bytes), algorithmOf(digest));
}

/** Docker's registry keeps no media type beside a manifest: one that does not say it itself is OCI's. */
function typeOf(bytes: Buffer): string | undefined {
  const document: unknown = JSON.parse(bytes.toString());
  if (typeof document !== 'object' || document === null || 'mediaType' in document) return undefined;
  return 'manifests' in document ? MediaType.ociIndex : MediaType.ociManifest;
}

/** Repositories lie in each other: `a` may be one, and `a/b` too. */
async function* repositoriesOf(root: string, path: string, depth: number): AsyncGenerator<string> {
  if (depth > DEPTH) return;
  const entries = await readdir(join(root, path), { withFileTypes: true });
  if (entries.some(({ name }) => name === '_manifests')) yield path;
  for (const entry of entries)
    if (entry.isDirectory() && !entry.name.startsWith('_'))
      yield* repositoriesOf(root, path === '' ? entry.name : `${path}/${entry.name}`, depth + 1);
}

async function tagsOf(folder: string): Promise<ReadonlyMap<ContentDigest, Tag[]>> {
  const tags = new Map<ContentDigest, Tag[]>();
  for (const name of await names(folder)) {
    const digest = isTag(name) ? await readLink(join(folder, name, 'current/link')) : undefined;
    if (digest !== undefined && isTag(name)) tags.set(digest, [...(tags.get(digest) ?? []), name]);
  }
  return tags;
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A file that holds a digest. */
async function readLink(path: string): Promise<ContentDigest | undefined> {
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(DIGEST_LIMIT);
    const { bytesRead } = await file.read(buffer, 0, DIGEST_LIMIT, 0);
    return parseContentDigest(buffer.toString('latin1', 0, bytesRead).trim());
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Digests are well formed, so the path stays inside. */
function dataPath(root: string, digest: ContentDigest): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return join(root, 'blobs', algorithm, hex.slice(0, 2), hex, 'data');
}
