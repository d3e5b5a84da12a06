import { join } from 'node:path';
import { compileGlob } from '../../dockerfile/glob.ts';
import { Failure } from '../../lib/error.ts';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { readLayerIndex } from '../../tar/layer-index.ts';
import { foldersOf, LayerStack } from '../../tar/stack/layer-stack.ts';
import { historyOf } from '../../tar/stack/path-history.ts';
import type { FoundRow } from '../../wire/insight.ts';
import { fileRow } from './shapes.ts';
import type { NamedImage } from './stored-image.ts';

/**
 * The files of images whose name matches a pattern, or whose whole path does when the pattern has a slash. An index is
 * read once for all images that have the layer, and of its rows only those are kept that decide about a match: memory
 * grows with what is found.
 */
export function* findFiles(images: readonly NamedImage[], pattern: string): Generator<FoundRow> {
  const isWanted = matcher(pattern);
  const folders = new Set(images.flatMap((image) => image.folders));
  const found = new Set<string>();
  for (const folder of folders)
    for (const { path, type } of rowsOf(folder))
      if (type !== 'whiteout' && type !== 'opaque' && path !== '' && isWanted(path)) found.add(path);
  if (found.size === 0) return;

  const ways = new Set([...found].flatMap((path) => [path, ...foldersOf(path)]));
  const layers = new Map([...folders].map((folder) => [folder, decisive(rowsOf(folder), ways)]));
  for (const { id, names, steps, folders: own } of images) {
    const stack = new LayerStack(own.map((folder) => layers.get(folder) ?? []));
    for (const place of stack.walk()) {
      if (!found.has(place.path)) continue;
      const { final } = historyOf(stack, place);
      if (final) yield { ...fileRow({ path: place.path, ...final }, steps), Image: id, Names: [...names] };
    }
  }
}

function rowsOf(folder: string): readonly LayerEntry[] {
  return readLayerIndex(join(folder, 'index')).entries;
}

/** The rows on the way to a match, and the files that hard links among them share. */
function decisive(rows: readonly LayerEntry[], ways: ReadonlySet<string>): LayerEntry[] {
  const targets = new Set<string>();
  for (const { path, type, linkTarget } of rows)
    if (type === 'hardlink' && linkTarget !== undefined && ways.has(path)) targets.add(linkTarget);
  return rows.filter(({ path }) => ways.has(path) || targets.has(path));
}

function matcher(pattern: string): (path: string) => boolean {
  const whole = pattern.includes('/');
  const glob = compileGlob(pattern.replace(/^\/+/, ''));
  if (!glob || pattern === '')
    throw new Failure('invalid', 'PATTERN_INVALID', `invalid pattern "${pattern}"`, {
      hint: 'a name with *, ? and [a-z], such as "*.so"; a pattern with a slash is compared with the whole path',
    });
  return whole ? (path) => glob.matches(path) : (path) => glob.matches(path.slice(path.lastIndexOf('/') + 1));
}
