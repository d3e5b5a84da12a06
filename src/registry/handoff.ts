import { hash } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, systemCode } from '../lib/error.ts';
import type { FileBlobs } from './file-blobs.ts';
import type { Handoff } from './registry.ts';

const NAME = /^[0-9a-f]{32}$/;

export interface OpenHandoff extends Handoff, Disposable {}

/**
 * A folder in the data root of a host on this machine, into which the host links blobs of its content store under names that
 * nobody can guess. Who can put a file there may read all that the host has: a name is proof enough, a path is never taken. The
 * registry gives the file one more name; from then on each side deletes only its own. `data`: the folder of the registry's own data.
 */
export function openHandoff(hostRoot: string, data: string, blobs: FileBlobs): OpenHandoff {
  if (!existsSync(join(hostRoot, 'content/sha256')))
    throw new Failure('invalid', 'NO_DATA_ROOT', `${hostRoot} is no data root of a host`, {
      hint: 'start the host once before the registry that shares its content',
    });
  const id = hash('sha256', realpathSync(data), 'hex').slice(0, 32);
  const folder = join(hostRoot, 'handoff', id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).dev !== statSync(data).dev) {
    rmSync(folder, { recursive: true, force: true });
    throw new Failure('invalid', 'OTHER_FILE_SYSTEM', `${hostRoot} and ${data} are not on one file system`, {
      hint: 'what is shared has one file and two names, which only one file system can give',
    });
  }
  return {
    id,
    async take(name, key) {
      if (!NAME.test(name)) return undefined;
      const path = join(folder, name);
      try {
        const file = await lstat(path);
        if (!file.isFile()) return undefined;
        await blobs.adopt(key, path);
        return { size: file.size, resume: '' };
      } catch (error) {
        // None, or one with as many names as a file may have.
        if (['ENOENT', 'EMLINK'].includes(systemCode(error) ?? '')) return undefined;
        throw error;
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
