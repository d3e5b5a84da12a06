import fc from 'fast-check';
import { digestOf } from '../../oci/digest.ts';
import { compareEntries, type EntryType, type LayerEntry } from '../layer-entry.ts';

/** For tests: a row of a layer's index. */
export function entryOf(path: string, type: EntryType, own: Partial<LayerEntry> = {}): LayerEntry {
  const entry = { path, type, mode: type === 'directory' ? 0o755 : 0o644, uid: 0, gid: 0, size: 0 };
  return { ...entry, mtime: 0, mtimeNsec: 0, offset: 0, ...own };
}

/** For tests: a file row whose content is `text`. */
export function fileOf(path: string, text: string, own: Partial<LayerEntry> = {}): LayerEntry {
  return entryOf(path, 'file', { size: Buffer.byteLength(text), digest: digestOf(text), ...own });
}

const NAMES = ['a', 'a-b', 'b', 'c'];
const TYPES: readonly EntryType[] = [
  'file',
  'file',
  'directory',
  'directory',
  'symlink',
  'hardlink',
  'whiteout',
  'opaque',
];

const change = fc.record({
  path: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
  type: fc.constantFrom(...TYPES),
  text: fc.constantFrom('x', 'yy', 'zzz'),
  mode: fc.constantFrom(0o644, 0o600),
});

/** For tests: up to `height` layers as the store has them, made of few names so that they meet often. */
export function layersOf(height: number): fc.Arbitrary<LayerEntry[][]> {
  const opaqueRoot = fc.integer({ min: 0, max: 9 }).map((number) => number === 9);
  const layer = fc.tuple(fc.array(change, { maxLength: 8 }), opaqueRoot).map(([changes, isOpaqueRoot]) => {
    const rows = new Map<string, LayerEntry>();
    const opaque = new Set<string>();
    for (const { path, type, text, mode } of changes) {
      const folders = path.split('/').slice(0, -1);
      const parents = folders.map((_, index) => folders.slice(0, index + 1).join('/'));
      if (parents.some((parent) => (rows.get(parent)?.type ?? 'directory') !== 'directory')) continue;
      if (rows.has(path)) continue;
      for (const parent of parents) if (!rows.has(parent)) rows.set(parent, entryOf(parent, 'directory'));
      if (type === 'opaque') {
        rows.set(path, entryOf(path, 'directory'));
        opaque.add(path);
      } else if (type === 'hardlink') {
        const target = [...rows.values()].find((row) => row.type === 'file');
        if (target) rows.set(path, entryOf(path, 'hardlink', { linkTarget: target.path }));
      } else if (type === 'file') rows.set(path, fileOf(path, text, { mode }));
      else rows.set(path, entryOf(path, type, type === 'symlink' ? { linkTarget: text } : {}));
    }
    if (isOpaqueRoot) opaque.add('');
    const marks = [...opaque].map((path) => entryOf(path, 'opaque'));
    return [...rows.values(), ...marks].sort(compareEntries);
  });
  return fc.array(layer, { minLength: 1, maxLength: height });
}
