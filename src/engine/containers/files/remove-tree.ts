import { closeSync, constants, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';

/**
 * Removes what `path` names, a folder with all that is in it. Links are removed and never followed, whatever others do to
 * the tree meanwhile.
 */
export function removeTree(path: string | Buffer): void {
  if (!lstatSync(path).isDirectory()) {
    unlinkSync(path);
    return;
  }
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const inside = `/proc/self/fd/${folder}`;
    for (const name of readdirSync(`${inside}/.`, { encoding: 'buffer' }))
      removeTree(Buffer.concat([Buffer.from(`${inside}/`), name]));
  } finally {
    closeSync(folder);
  }
  rmdirSync(path);
}
