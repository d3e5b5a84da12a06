import { cancelled } from '../lib/error.ts';
import type { RegistryCheckLine, RegistryProblem } from '../wire/registry-admin.ts';
import type { BlobReader } from './blob-storage.ts';
import { collect, sweep } from './collect.ts';
import { algorithmOf, ContentDigester, contentDigestOf } from './content-digest.ts';
import type { StoredContent } from './metadata-store.ts';
import type { Registry } from './registry.ts';

const PART = 100;
const READ_SIZE = 1 << 20;

/**
 * Reads everything and compares it with its digest, while the registry serves. A blob that is damaged counts, with `repair`, as
 * not there: the next push of it brings it back, for all images that have it. Bytes that belong to nothing are removed.
 */
export async function* check(
  registry: Registry,
  options: { readonly repair: boolean; readonly signal: AbortSignal },
): AsyncGenerator<RegistryCheckLine> {
  const { repair, signal } = options;
  const { metadata } = registry;
  const sum = { blobs: 0, manifests: 0, problems: 0, repaired: 0 };
  const count = (line: RegistryProblem): RegistryProblem => {
    sum.problems++;
    if (line.repair === 'done') sum.repaired++;
    return line;
  };
  for (let last = ''; ; ) {
    const part = await metadata.listContent(last, PART);
    if (part.length === 0) break;
    for (const content of part) {
      last = content.digest;
      sum.blobs++;
      const problem = await blobProblem(registry, content, signal);
      if (problem === undefined || !(await isStill(registry, content))) continue;
      if (repair) await metadata.forgetContent(content.digest, content.key);
      yield count({ problem: `blob ${content.digest} ${problem}`, repair: repair ? 'done' : 'possible' });
    }
  }
  for (let cursor = 0; ; ) {
    const part = await metadata.listManifests(cursor, PART);
    if (part.length === 0) break;
    for (const manifest of part) {
      cursor = manifest.cursor;
      sum.manifests++;
      const { digest, repository, bytes } = manifest;
      if (contentDigestOf(bytes, algorithmOf(digest)) !== digest)
        yield count({ problem: `manifest ${repository}@${digest} is damaged`, repair: 'none' });
    }
  }
  // A mirror gets what is missing when somebody asks for it.
  const missing = registry.mirror ? [] : await metadata.listMissing();
  for (const { repository, manifest, blob } of missing)
    yield count({ problem: `${repository}@${manifest} lacks blob ${blob}: push it again`, repair: 'none' });
  if (repair) {
    await collect(registry, { signal });
    const swept = await sweep(registry, signal);
    if (swept > 0) yield count({ problem: `${swept} files belonged to nothing`, repair: 'done' });
  }
  yield sum;
}

async function blobProblem(
  { blobs }: Registry,
  { key, digest, size }: StoredContent,
  signal: AbortSignal,
): Promise<string | undefined> {
  await using reader = await blobs.open(key, { start: 0, end: size });
  if (!reader) return 'has no bytes';
  if (reader.size !== size) return `has ${reader.size} instead of ${size} bytes`;
  const digester = new ContentDigester(algorithmOf(digest));
  for await (const chunk of pieces(reader)) {
    if (signal.aborted) throw cancelled(signal);
    digester.update(chunk);
  }
  return digester.digest() === digest ? undefined : 'is damaged: its bytes have another digest';
}

async function* pieces(reader: BlobReader): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(READ_SIZE);
  for (let at = 0; at < reader.size; ) {
    const read = await reader.read(buffer, at, Math.min(buffer.length, reader.size - at));
    if (read === 0) return;
    yield buffer.subarray(0, read);
    at += read;
  }
}

/** Whether what was looked at still is the content: a blob that was deleted meanwhile is no problem. */
async function isStill({ metadata }: Registry, { digest, key }: StoredContent): Promise<boolean> {
  return (await metadata.findContent(digest))?.key === key;
}
