import { completeReference, parseReference, withDefaultTag } from '../../../oci/reference.ts';
import type { AskRegistryAuth, CacheBlob, CacheTransferBackend, ClientCacheBackend } from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import { SessionContent } from '../session/client-content.ts';
import type { ClientSession } from '../session/sessions.ts';
import { during, inVertex } from '../trace/in-vertex.ts';
import type { OpenVertex, Vertexes } from '../trace/vertexes.ts';
import { type CacheOption, isIgnored, localCache, localStore, registryCache } from './cache-options.ts';

export interface CacheExportBackend {
  readonly cacheTransfer: Pick<CacheTransferBackend, 'push'>;
  readonly clientCaches: Pick<ClientCacheBackend, 'blobs'>;
}

export interface CacheExport extends CallOptions {
  /** The IDs under which the host remembers the builds. */
  readonly builds: readonly string[];
  readonly vertexes: Vertexes;
  readonly session: ClientSession;
  readonly auth: AskRegistryAuth;
}

/** Gives the cache of builds where its client wants it. Gives what the client is told. */
export async function exportCache(
  backend: CacheExportBackend,
  cache: CacheOption,
  request: CacheExport,
): Promise<Readonly<Record<string, string>>> {
  if (cache.type === 'inline') return {}; // it is in the image
  const { vertexes, signal } = request;
  const isLocal = cache.type === 'local';
  try {
    return await inVertex(
      vertexes,
      `exporting cache to ${isLocal ? 'client directory' : 'registry'}`,
      signal,
      (vertex) => (isLocal ? sendBlobs(backend, cache, request, vertex) : push(backend, cache, request, vertex)),
    );
  } catch (error) {
    if (signal.aborted || !isIgnored(cache)) throw error;
    return {};
  }
}

/** Into the client's folder, the manifest last; the client itself writes the index that names it. */
async function sendBlobs(
  backend: CacheExportBackend,
  cache: CacheOption,
  { builds, session, signal }: CacheExport,
  vertex: OpenVertex,
): Promise<Readonly<Record<string, string>>> {
  const { folder, mode } = localCache(cache);
  const content = new SessionContent(session, localStore(folder));
  using blobs = backend.clientCaches.blobs(builds, { mode });
  const write = (what: string, blob: CacheBlob) =>
    during(vertex, `writing ${what} ${blob.digest}`, () => content.write(blob, blob.open({ signal }), { signal }));
  for (const layer of blobs.layers) await write('layer', layer);
  await write('config', blobs.config);
  await write('cache manifest', blobs.manifest);
  const { mediaType, digest, size } = blobs.manifest;
  return { 'cache.manifest': JSON.stringify({ mediaType, digest, size }) };
}

async function push(
  backend: CacheExportBackend,
  cache: CacheOption,
  { builds, auth, signal }: CacheExport,
  vertex: OpenVertex,
): Promise<Readonly<Record<string, string>>> {
  const { ref, mode } = registryCache(cache);
  const reference = withDefaultTag(parseReference(ref));
  await during(vertex, `writing cache manifest to ${completeReference(reference)}`, async () => {
    const login = await auth(reference.registry, { signal });
    await backend.cacheTransfer.push(builds, { mode, reference, auth: login, signal });
  });
  return {};
}
