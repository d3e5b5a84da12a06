import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure, systemCode } from './error.ts';

/**
 * Makes a folder and those above it, unless they exist. A Failure names the one that cannot be made; Node's own recursive
 * way never ends on file systems that refuse new folders with ENOENT, as /proc does.
 */
export function makeFolder(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && statSync(path).isDirectory()) return; // another process was quicker
    const kind = systemCode(error) === 'ENOSPC' ? 'exhausted' : 'unavailable';
    throw new Failure(kind, 'FOLDER_REFUSED', `cannot make the folder ${path}: ${systemCode(error)}`, { cause: error });
  }
}
