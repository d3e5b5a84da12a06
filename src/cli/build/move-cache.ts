import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Failure, messageOf } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import {
  CACHE_CONFIG_TYPE,
  CACHE_DOCUMENT_ENTRY,
  CACHE_LAYERS_FOLDER,
  type CacheExportBody,
  type CacheImported,
  DIFF_ID_ANNOTATION,
  type MissingLayers,
} from '../../wire/cache-transfer.ts';
import type { EngineClient } from '../client/engine-client.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import type { Session } from '../session.ts';
import type { CacheTarget } from './cache-flags.ts';
import { unpackFolder } from './unpack-folder.ts';

/** What a folder with a build cache holds; paths are of files. */
interface CacheFolder {
  readonly manifest: string;
  readonly document: string;
  readonly layers: readonly { readonly diffId: string; readonly path: string }[];
}

/** Gives the host the cache in a folder; only layers that it lacks are sent. A folder that is not there is said, no more. */
export async function sendCacheFolder(session: Session, client: EngineClient, path: string): Promise<void> {
  if (!existsSync(join(path, 'index.json'))) {
    session.stderr.write(`cache-from ${path}: there is no build cache, it is passed over\n`);
    return;
  }
  const { document, layers } = readCacheFolder(path);
  const { signal } = session;
  const body: MissingLayers = { Layers: layers.map(({ diffId }) => diffId) };
  const answer = await client.json<MissingLayers>('POST', '/strake/build-cache/missing', { json: body, signal });
  const missing = new Set(answer.Layers);
  const files = [
    { name: CACHE_DOCUMENT_ENTRY, path: document },
    ...layers
      .filter(({ diffId }) => missing.has(diffId))
      .map((layer) => ({ name: `${CACHE_LAYERS_FOLDER}${layer.diffId.slice('sha256:'.length)}`, path: layer.path })),
  ];
  await client.json<CacheImported>('POST', '/strake/build-cache', {
    headers: { 'Content-Type': 'application/x-tar' },
    body: Readable.from(tarOf(files)),
    signal,
  });
}

/** Fetches the cache of a build into a folder. Afterwards the folder has this cache and no other. */
export async function fetchCacheFolder(
  session: Session,
  client: EngineClient,
  build: string,
  { path, mode }: Extract<CacheTarget, { kind: 'folder' }>,
): Promise<void> {
  checkCacheFolder(path);
  const blobs = join(path, 'blobs/sha256');
  const json: CacheExportBody = { Have: namesIn(blobs).map((hex) => `sha256:${hex}`) };
  const query = { build, mode };
  const answer = await client.request('POST', '/strake/builds/cache', { query, json, signal: session.signal });
  rmSync(join(path, 'index.json'), { force: true });
  await unpackFolder(answer.body, path);
  const { manifest, document, layers } = readCacheFolder(path);
  const used = new Set([manifest, document, ...layers.map((layer) => layer.path)]);
  for (const name of namesIn(blobs)) if (!used.has(join(blobs, name))) rmSync(join(blobs, name));
}

/** Has the host give the cache of a build to a registry. */
export async function pushBuildCache(
  session: Session,
  client: EngineClient,
  build: string,
  { name, mode }: Extract<CacheTarget, { kind: 'registry' }>,
): Promise<void> {
  await client.json<{ Digest: string }>('POST', '/strake/builds/cache/push', {
    query: { build, mode, ref: name },
    headers: await registryAuth(parseReference(name).registry, session),
    signal: session.signal,
  });
}

/** Refuses a folder with something else in it: call it before the build. */
export function checkCacheFolder(path: string): void {
  const names = namesIn(path);
  if (names.length === 0 || existsSync(join(path, 'oci-layout'))) {
    if (existsSync(join(path, 'index.json'))) readCacheFolder(path);
    return;
  }
  throw new Failure('invalid', 'CACHE_FOLDER', `cache-to ${path}: the folder has other files and no build cache`);
}

function readCacheFolder(path: string): CacheFolder {
  try {
    const index: { manifests?: { digest?: string }[] } = readJsonFile(join(path, 'index.json'));
    const manifest = blobOf(path, index.manifests?.[0]?.digest);
    const { config, layers = [] }: Manifest = readJsonFile(manifest);
    if (config?.mediaType !== CACHE_CONFIG_TYPE) throw new Error('it is an image');
    return {
      manifest,
      document: blobOf(path, config.digest),
      layers: layers.map(({ digest, annotations }) => ({
        diffId: annotations?.[DIFF_ID_ANNOTATION] ?? '',
        path: blobOf(path, digest),
      })),
    };
  } catch (error) {
    throw new Failure('invalid', 'CACHE_FOLDER', `${path} is no build cache: ${messageOf(error)}`, { cause: error });
  }
}

interface Manifest {
  readonly config?: { readonly mediaType?: string; readonly digest?: string };
  readonly layers?: readonly { readonly digest?: string; readonly annotations?: Readonly<Record<string, string>> }[];
}

// What it reads is checked field by field where it is used.
const readJsonFile = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

function blobOf(path: string, digest: string | undefined): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest ?? '')?.[1];
  if (hex === undefined) throw new Error(`invalid digest "${digest}"`);
  return join(path, 'blobs/sha256', hex);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function* tarOf(files: readonly { readonly name: string; readonly path: string }[]): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(Buffer.from(bytes)));
  for (const { name, path } of files) {
    const { size } = statSync(path);
    writer.begin({ type: 'file', path: name, size, mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 });
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, end: Math.max(0, size - 1) })) {
      writer.data(chunk);
      yield* ready.splice(0);
    }
  }
  writer.end();
  yield* ready;
}
