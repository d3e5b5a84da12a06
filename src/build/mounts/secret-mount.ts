import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '../../dockerfile/mount.ts';
import { isInMemory } from '../../host/memory-folder.ts';
import { Failure } from '../../lib/error.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { MountPlace, OpenedMounts, PlannedMount } from './run-mounts.ts';

const DEFAULT_MODE = 0o400;

/**
 * `--mount=type=secret`: a file or a variable that only this RUN has. The file lies in memory while the RUN runs. What
 * the secret is counts for no key; one that the client did not bring is simply not there, unless it is required.
 */
export function planSecret(
  { session, instruction }: MountPlace,
  mount: Extract<Mount, { type: 'secret' }>,
  target: string | undefined,
): PlannedMount {
  const { id, env, owner, required } = mount;
  const { source } = instruction;
  session.trace.lends('secret', id, required);
  return {
    name: target ?? `secret ${id}`,
    key: `secret ${id} ${required ? 'required' : ''} ${env ?? ''} ${owner.mode ?? ''} ${owner.uid ?? ''} ${owner.gid ?? ''}`,
    async open(scope): Promise<OpenedMounts> {
      const content = await session.lent.secret(id, session);
      if (!content) {
        if (!required) return { mounts: [], secretEnv: [] };
        throw new Failure('not-found', 'SECRET_MISSING', `secret ${id}: not found`, {
          source,
          hint: `bring it with --secret id=${id},src=<file> or --secret id=${id},env=<variable>`,
        });
      }
      if (!isInMemory(session.memory))
        throw new Failure('unsupported', 'SECRET_ON_DISK', `${session.memory} is on a disk: no secret is put there`, {
          source,
          hint: 'run the host as root, or mount a tmpfs there',
        });
      if (env !== undefined && content.includes(0))
        throw new Failure('invalid', 'SECRET_BINARY', `secret ${id} has a NUL byte and cannot be a variable`, {
          source,
          hint: 'mount it as a file, with target=<path>',
        });
      const secretEnv = env === undefined ? [] : [`${env}=${content.toString('utf8')}`];
      if (target === undefined) return { mounts: [], secretEnv };
      const folder = scope.use(makeScratchFolder(session.memory, 'secret'));
      const file = join(folder.path, 'secret');
      writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
      chownSync(file, owner.uid ?? 0, owner.gid ?? 0);
      chmodSync(file, owner.mode ?? DEFAULT_MODE);
      return { mounts: [{ kind: 'bind', source: file, target, readOnly: true }], secretEnv };
    },
  };
}
