import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '../../dockerfile/mount.ts';
import { mountOverlay, unmount } from '../../host/mount.ts';
import type { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { type CopyJob, PLAIN_COPY } from '../copy/copy-request.ts';
import { prepareCopy } from '../copy/prepare-copy.ts';
import type { BuildSession } from '../session.ts';
import { findSource } from '../source-place.ts';
import type { MountPlace, PlannedMount } from './run-mounts.ts';

/**
 * `--mount=type=bind`: files of the context, a stage or an image, as a COPY of them would be. What a RUN writes to an `rw`
 * one goes into a layer above them, which is thrown away.
 */
export async function planBind(
  place: MountPlace,
  mount: Extract<Mount, { type: 'bind' }>,
  target: string,
): Promise<PlannedMount> {
  const { session } = place;
  const job = await mountJob(place, mount, { isWritable: false });
  const inputs = await job.inputs({ signal: session.signal });
  session.trace.listed(inputs);
  const { readOnly } = mount;
  return {
    name: target,
    key: `bind ${inputs.digest}${readOnly ? '' : ' rw'}`,
    async open(scope) {
      const folder = scope.use(makeScratchFolder(session.store.scratch, 'mount')).path;
      await copyTo(session, job, folder);
      const source = readOnly ? join(folder, 'diff/mount') : writable(folder, scope);
      return { mounts: [{ kind: 'bind', source, target, readOnly }], secretEnv: [] };
    },
  };
}

/** The files that a mount's `from` and `source` name, to be copied to `diff/mount` of a folder. */
export async function mountJob(
  place: MountPlace,
  mount: { readonly from: string | undefined; readonly source: string },
  options: { readonly isWritable: boolean },
): Promise<CopyJob> {
  const { session, held } = place;
  const path = mount.source === '' ? '.' : mount.source;
  const from = await findSource(place, mount.from, [path]);
  const job = await prepareCopy(
    {
      instruction: 'RUN --mount',
      sources: [{ kind: 'path', path }],
      destination: '/mount',
      from,
      ...PLAIN_COPY,
      ...options,
    },
    { pool: session.workers, scratch: session.store.scratch, signal: session.signal },
  );
  return held.use(job);
}

/** Brings the files of a job to `diff` of a folder, with the index of them beside it. */
export async function copyTo(session: BuildSession, job: CopyJob, folder: string): Promise<void> {
  await job.copy({ folder, time: Math.floor(Date.now() / 1000) }, { signal: session.signal });
}

/** The files may be links into layers that others use: changes go elsewhere. */
function writable(folder: string, scope: Scope): string {
  const layer = { upper: join(folder, 'upper'), work: join(folder, 'work'), target: join(folder, 'merged') };
  for (const path of Object.values(layer)) mkdirSync(path);
  mountOverlay({ lower: [join(folder, 'diff')], ...layer, volatile: true });
  scope.defer(() => void unmount(layer.target));
  return join(layer.target, 'mount');
}
