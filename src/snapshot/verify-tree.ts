import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { type FileStat, getXattr, statFile } from '../host/file-system-calls.ts';
import { cancelled, systemCode } from '../lib/error.ts';
import type { LayerEntry } from '../tar/layer-entry.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { decodeName, encodeName, pathInFolder } from '../tar/names.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../tar/whiteout.ts';

export interface TreeDifference {
  readonly path: string;
  readonly problem: 'missing' | 'unexpected' | 'type' | 'mode' | 'owner' | 'size' | 'content' | 'link' | 'opaque';
}

const KINDS: Readonly<Record<LayerEntry['type'], number | undefined>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  whiteout: 0o020000,
  hardlink: undefined,
  opaque: undefined,
};

/**
 * Compares a layer's tree with its index, content included. At most `limit` differences are returned. A damaged index is
 * a Failure of kind `data-loss`. Blocks: meant for a worker thread.
 */
export function verifyTree(
  request: { readonly tree: string; readonly index: string; readonly limit: number },
  { signal }: { readonly signal: AbortSignal },
): TreeDifference[] {
  const { entries } = readLayerIndex(request.index);
  const differences: TreeDifference[] = [];
  const expected = new Map<string, number>(); // how many names a directory must have
  for (const entry of entries) {
    if (signal.aborted) throw cancelled(signal);
    if (differences.length >= request.limit) return differences;
    const problem = check(request.tree, entry);
    if (problem) differences.push({ path: entry.path, problem });
    if (entry.type === 'directory' && !expected.has(entry.path)) expected.set(entry.path, 0);
    if (entry.type === 'opaque' || entry.path === '') continue;
    const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf('/')));
    expected.set(parent, (expected.get(parent) ?? 0) + 1);
  }
  if (!expected.has('')) expected.set('', 0);
  const known = new Set(entries.map((entry) => entry.path));
  for (const [directory, count] of expected) {
    if (differences.length >= request.limit) return differences;
    const names = namesIn(request.tree, directory);
    if (names.length === count) continue;
    for (const name of names) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (!known.has(path) && !isSocket(request.tree, path)) differences.push({ path, problem: 'unexpected' });
    }
  }
  return differences.slice(0, request.limit);
}

function check(tree: string, entry: LayerEntry): TreeDifference['problem'] | undefined {
  const disk = pathInFolder(tree, entry.path);
  const stat = statOrMissing(disk);
  if (!stat) return 'missing';
  const kind = stat.mode & 0o170000;
  switch (entry.type) {
    case 'opaque':
      return getXattr(disk, OPAQUE_XATTR)?.toString() === OPAQUE_VALUE ? undefined : 'opaque';
    case 'hardlink':
      return statOrMissing(pathInFolder(tree, entry.linkTarget ?? ''))?.inode === stat.inode ? undefined : 'link';
    case 'whiteout':
      return kind === KINDS.whiteout && stat.major === 0 && stat.minor === 0 ? undefined : 'type';
    default:
      break;
  }
  if (kind !== KINDS[entry.type]) return 'type';
  if (entry.type !== 'symlink' && (stat.mode & 0o7777) !== entry.mode) return 'mode';
  if (stat.uid !== entry.uid || stat.gid !== entry.gid) return 'owner';
  if (entry.type === 'symlink')
    return readlinkSync(disk, { encoding: 'buffer' }).equals(encodeName(entry.linkTarget ?? '')) ? undefined : 'link';
  if (entry.device && (entry.device.major !== stat.major || entry.device.minor !== stat.minor)) return 'type';
  if (entry.type !== 'file') return undefined;
  if (stat.size !== entry.size) return 'size';
  return `sha256:${digestOfFile(disk)}` === entry.digest ? undefined : 'content';
}

function statOrMissing(disk: string | Buffer): FileStat | undefined {
  try {
    return statFile(disk);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** A socket that a step left behind: it is in no tar. */
function isSocket(tree: string, path: string): boolean {
  return ((statOrMissing(pathInFolder(tree, path))?.mode ?? 0) & 0o170000) === 0o140000;
}

function namesIn(tree: string, directory: string): string[] {
  try {
    return readdirSync(pathInFolder(tree, directory), { encoding: 'buffer' }).map((name) => decodeName(name));
  } catch {
    return []; // missing, or no directory: found already
  }
}

function digestOfFile(disk: string | Buffer): string {
  const file = openSync(disk, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const content = createHash('sha256');
    for (let count = readSync(file, BUFFER); count > 0; count = readSync(file, BUFFER))
      content.update(BUFFER.subarray(0, count));
    return content.digest('hex');
  } finally {
    closeSync(file);
  }
}

const BUFFER = Buffer.allocUnsafeSlow(256 << 10);
