import { lstatSync, readdirSync } from 'node:fs';
import { systemCode } from '../../lib/error.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * Bytes of the files and symlinks below a folder, each file once, as Docker sizes a container's changes; less those at the
 * paths `except`, which begin with a slash at the folder.
 */
export function treeSize(folder: string, except = NONE): number {
  const seen = new Set<bigint>();
  const walk = (path: string): number => {
    let size = 0;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory()) size += walk(child);
      else if (except.has(child.slice(folder.length))) continue;
      else size += fileSize(child, seen);
    }
    return size;
  };
  try {
    return walk(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0; // a running container changes it meanwhile
    throw error;
  }
}

function fileSize(path: string, seen: Set<bigint>): number {
  const { size, nlink, ino } = lstatSync(path, { bigint: true });
  if (nlink > 1n && seen.has(ino)) return 0;
  seen.add(ino);
  return Number(size);
}
