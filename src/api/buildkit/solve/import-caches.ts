import { cancelled, messageOf } from '../../../lib/error.ts';
import type { ClientCacheBackend } from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import { SessionContent } from '../session/client-content.ts';
import type { ClientSession } from '../session/sessions.ts';
import type { Vertexes } from '../trace/vertexes.ts';
import { type CacheImport, localStore } from './cache-options.ts';

/**
 * Takes over the caches that the client has in folders, each in a vertex. What is wrong with one is said there, and the build
 * goes on without it. Caches in registries are the build's own business.
 */
export async function importCaches(
  backend: Pick<ClientCacheBackend, 'takeFrom'>,
  imports: readonly CacheImport[],
  { session, vertexes, signal }: CallOptions & { readonly session: ClientSession; readonly vertexes: Vertexes },
): Promise<void> {
  for (const cache of imports) {
    if (cache.kind === 'registry') continue;
    const name = cache.kind === 'local' ? localStore(cache.folder) : cache.type;
    const vertex = vertexes.make(`importing cache manifest from ${name}`);
    await vertex.begin();
    if (cache.kind === 'unknown') {
      await vertex.end({ error: `unknown cache importer: ${cache.type.slice(0, 100)}` });
      continue;
    }
    try {
      await backend.takeFrom(new SessionContent(session, name), cache.manifest, { signal });
      await vertex.end();
    } catch (error) {
      await vertex.end(signal.aborted ? 'cancelled' : { error: messageOf(error) });
      if (signal.aborted) throw cancelled(signal);
    }
  }
}
