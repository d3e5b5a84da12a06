import { type Digest, digestOf } from '../../oci/digest.ts';
import { type CopyInputs, type InputList, InputLister } from '../context/copy-inputs.ts';
import type { FileDigester } from '../context/file-digester.ts';
import type { SourceFile, WalkOptions, WalkPart } from '../context/source-file.ts';
import type { GatheredSources } from './gather-sources.ts';
import type { CopyAttributes, Selection } from './select-sources.ts';
import type { Turn } from './turn.ts';

/**
 * Lists what was selected, or a part of the folder that was, and remembers the list. Only files whose digest is not known
 * yet are read.
 */
export async function listSources(
  { selections, digester, lists }: Pick<GatheredSources, 'selections' | 'digester' | 'lists'>,
  turn: Turn,
  part?: WalkPart,
): Promise<InputList> {
  const record = lists?.record(digester);
  const list = await listFiles(selections, digester, turn, { part, seen: record?.add });
  if (record) lists?.keep(record, part, list);
  return list;
}

async function listFiles(
  selections: readonly Selection[],
  digester: FileDigester,
  turn: Turn,
  options: WalkOptions,
): Promise<InputList> {
  const { part } = options;
  const lister = new InputLister();
  const unknown: { readonly file: SourceFile; readonly place: number }[] = [];
  for (const { path, root, walk, attributes } of selections) {
    const isFolder = root.type === 'directory';
    if (isFolder && !(part && 'from' in part)) lister.add({ ...NOTHING, path, type: 'directory' });
    const start = root.path === '' ? 0 : root.path.length + 1;
    const prefix = path === '' ? '' : `${path}/`;
    walk((file) => {
      if (!digester.recall(file)) digester.lookForXattrs(file); // they stand in the list before the digest
      const place = lister.add({
        path: isFolder ? prefix + file.path.slice(start) : path,
        type: file.type,
        mode: file.type === 'symlink' ? 0o777 : file.stat.mode,
        digest: file.digest,
        target: targetOf(file),
        extra: extraOf(file, attributes),
        size: file.type === 'file' ? file.stat.size : 0,
      });
      if (place !== undefined) unknown.push({ file, place });
    }, options);
  }
  for (const { file, place } of unknown) {
    lister.fill(place, digester.read(file));
    if (turn.isOver()) await turn.pass();
  }
  return lister.finish(kindOf(selections));
}

const NOTHING = { mode: 0, digest: undefined, target: undefined, extra: undefined, size: 0 };

/** What Docker's history calls the sources. */
function kindOf([only, second]: readonly Selection[]): CopyInputs['kind'] {
  return second || !only ? 'multi' : only.root.type === 'directory' ? 'dir' : 'file';
}

function targetOf({ type, linkTarget, stat }: SourceFile): string | undefined {
  return type === 'char' || type === 'block' ? `${stat.major}:${stat.minor}` : linkTarget;
}

/** Attributes, and the owner where a copy keeps it. */
function extraOf(file: SourceFile, { owner }: CopyAttributes): Digest | undefined {
  const { xattrs, stat } = file;
  if (owner && (!xattrs || xattrs.size === 0)) return undefined;
  const sorted = [...(xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  const named = sorted.map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return digestOf(JSON.stringify([owner ? [] : [stat.uid, stat.gid], named]));
}
