import { existsSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import type { Mount } from '../../dockerfile/mount.ts';
import { Failure } from '../../lib/error.ts';
import type { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { CopyJob } from '../copy/copy-request.ts';
import type { RunMount } from '../needs.ts';
import type { BuildSession } from '../session.ts';
import { copyTo, mountJob } from './bind-mount.ts';
import { cacheMountLocks } from './cache-mount-lock.ts';
import type { MountPlace, PlannedMount } from './run-mounts.ts';

type CacheMount = Extract<Mount, { type: 'cache' }>;

interface PlannedCache {
  readonly mount: CacheMount;
  readonly beginning: Beginning | undefined;
  readonly target: string;
}

/** What a cache begins with. */
interface Beginning {
  readonly job: CopyJob;
  readonly digest: string;
}

/**
 * `--mount=type=cache`: a folder that keeps what RUN steps leave in it. With `from` it begins with the files there: other
 * files, another cache.
 */
export async function planCache(place: MountPlace, mount: CacheMount, target: string): Promise<PlannedMount> {
  const { session } = place;
  const beginning = await beginningOf(place, mount);
  return {
    name: target,
    key: `cache ${mount.id ?? ''}${beginning === undefined ? '' : ` ${beginning.digest}`}`,
    open: async (scope) => ({ mounts: [await openCache(session, { mount, beginning, target }, scope)], secretEnv: [] }),
  };
}

/** The folder's name of a cache mount. */
export function cacheMountName(id: string): string {
  return hexOf(digestOf(id)).slice(0, 32);
}

async function beginningOf(place: MountPlace, mount: CacheMount): Promise<Beginning | undefined> {
  if (mount.from === undefined || mount.from === 'scratch') {
    if (mount.source === '' || mount.source === '/') return undefined;
    throw new Failure('invalid', 'MOUNT_INVALID', `source=${mount.source} of a cache mount needs from`, {
      source: place.instruction.source,
      hint: 'a cache begins empty unless from= names a stage, an image or a context',
    });
  }
  const job = await mountJob(place, mount, { isWritable: true });
  return { job, digest: (await job.inputs({ signal: place.session.signal })).digest };
}

/** Caches may vanish: a RUN must do without what it finds there. */
async function openCache(
  session: BuildSession,
  { mount, beginning, target }: PlannedCache,
  scope: Scope,
): Promise<RunMount> {
  const { cacheMounts } = session.store;
  const id = mount.id ?? posix.normalize(target);
  const key = beginning === undefined ? id : JSON.stringify([id, beginning.digest]);
  const wanted = cacheMounts.folder(cacheMountName(key));
  const lock = scope.use(await cacheMountLocks.take(wanted, mount.sharing, session.signal));
  scope.defer(() => session.cacheMountEnded(basename(lock.folder)));
  const record = { name: basename(lock.folder), id, target, sharing: mount.sharing };
  if (beginning && !existsSync(lock.folder)) {
    await using filled = makeScratchFolder(session.store.scratch, 'cache');
    await copyTo(session, beginning.job, filled.path);
    cacheMounts.replace(record, join(filled.path, 'diff/mount'), 0);
  } else cacheMounts.use(record, mount.owner);
  return { kind: 'bind', source: lock.folder, target, readOnly: mount.readOnly };
}
