import { parseDigest } from '../oci/digest.ts';
import { isContentDigest } from '../registry/content-digest.ts';
import type { Upstream } from '../registry/mirror.ts';
import { Registries } from '../remote/registries.ts';
import { Repository } from '../remote/repository.ts';
import { registrySettings } from '../remote/settings.ts';
import type { RegistryAuth } from '../wire/auth.ts';

const MOST_OPEN = 1_000;

export interface UpstreamOptions {
  /** `docker.io`, `host:port`. */
  readonly registry: string;
  /** Whether it may have a false certificate or speak plain HTTP. */
  readonly insecure: boolean;
  readonly auth: RegistryAuth | undefined;
}

/** Another registry as the source of a mirror. */
export function openUpstream({ registry, insecure, auth }: UpstreamOptions): Upstream & Disposable {
  const registries = new Registries(registrySettings([], insecure ? [registry] : []));
  const opened = new Map<string, Promise<Repository>>();
  const open = (path: string, signal: AbortSignal): Promise<Repository> => {
    const known = opened.get(path);
    if (known) return known;
    const [oldest] = opened.keys();
    if (opened.size >= MOST_OPEN && oldest !== undefined) opened.delete(oldest);
    const opening = registries
      .connect(registry, { auth, signal })
      .then((connection) => new Repository(connection, path, 'pull'));
    opened.set(path, opening);
    opening.catch(() => opened.delete(path));
    return opening;
  };
  return {
    name: registry,
    async digestOf(repository, tag, signal) {
      const digest = await (await open(repository, signal)).headDigest(tag, signal);
      return digest !== undefined && isContentDigest(digest) ? digest : undefined;
    },
    async manifest(repository, reference, signal) {
      return await (await open(repository, signal)).manifest(reference, signal);
    },
    async *blob(repository, { digest, size }, signal) {
      const descriptor = { mediaType: '', digest: parseDigest(digest), size };
      yield* (await open(repository, signal)).blob(descriptor, { signal });
    },
    [Symbol.dispose]: () => registries[Symbol.dispose](),
  };
}
