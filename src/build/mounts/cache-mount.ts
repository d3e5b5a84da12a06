import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Mount } from '../../dockerfile/mount.ts';
import { Failure } from '../../lib/error.ts';
import type { Scope } from '../../lib/scope.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { RunMount } from '../needs.ts';
import type { BuildSession } from '../session.ts';
import { cacheMountLocks } from './cache-mount-lock.ts';
import type { MountPlace, PlannedMount } from './run-mounts.ts';

/** `--mount=type=cache`: a folder that keeps what RUN steps leave in it. */
export async function planCache(
  { session }: MountPlace,
  mount: Extract<Mount, { type: 'cache' }>,
  target: string,
): Promise<PlannedMount> {
  return {
    name: target,
    key: `cache ${mount.id ?? ''}`,
    open: async (scope) => ({ mounts: [await openCache(session, mount, target, scope)], secretEnv: [] }),
  };
}

/** Caches lie among the notes that may vanish: a RUN must do without what it finds there. */
async function openCache(
  session: BuildSession,
  mount: Extract<Mount, { type: 'cache' }>,
  target: string,
  scope: Scope,
): Promise<RunMount> {
  if (mount.from !== undefined)
    throw new Failure('unsupported', 'CACHE_FROM', 'RUN --mount=type=cache,from= is not supported yet');
  const id = hexOf(digestOf(mount.id ?? posix.normalize(target))).slice(0, 32);
  const caches = session.store.memoFolder('cache-mounts');
  const lock = await cacheMountLocks.take(join(caches, id), mount.sharing, session.signal);
  scope.use(lock);
  if (!existsSync(lock.folder)) {
    const aside = join(caches, `${randomUUID()}.new`);
    mkdirSync(aside);
    chownSync(aside, mount.owner.uid ?? 0, mount.owner.gid ?? 0);
    chmodSync(aside, mount.owner.mode ?? 0o755);
    renameSync(aside, lock.folder);
  }
  return { kind: 'bind', source: lock.folder, target, readOnly: mount.readOnly };
}
