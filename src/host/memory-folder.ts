import { statfsSync } from 'node:fs';
import { systemCode } from '../lib/error.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { mountMemory, unmount } from './mount.ts';

const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

/**
 * Makes `folder` one whose files are in memory only, by a tmpfs of its own where what is around it is a disk. Disposing
 * ends the tmpfs with all that is in it; one that a killed host left is used again. Where mounts are not allowed the folder
 * stays on its disk: ask `isInMemory` before something goes there that must not be on one.
 */
export function memoryFolder(folder: string): Disposable {
  makeFolder(folder, 0o711);
  if (!isInMemory(folder))
    try {
      mountMemory(folder, { mode: 0o711 });
    } catch (error) {
      if (systemCode(error) !== 'EPERM') throw error;
    }
  return { [Symbol.dispose]: () => void unmount(folder) };
}

/** Whether files in this folder never reach a disk. */
export function isInMemory(folder: string): boolean {
  return [TMPFS, RAMFS].includes(statfsSync(folder).type);
}
