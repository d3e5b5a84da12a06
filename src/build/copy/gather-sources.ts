import { realpathSync } from 'node:fs';
import { IgnoreMatcher, parseIgnore } from '../../dockerfile/ignore.ts';
import { pathInFolder } from '../../tar/names.ts';
import { ContextTree } from '../context/context-tree.ts';
import { DigestMemo } from '../context/digest-memo.ts';
import { FileDigester } from '../context/file-digester.ts';
import { ListMemo } from '../context/list-memo.ts';
import { quickStat } from '../context/quick-stat.ts';
import { rowsByPath, type SourceTree, sourceFile } from '../context/source-file.ts';
import type { CopyRequest, CopySource } from './copy-request.ts';
import { parseMode } from './file-mode.ts';
import { LayerTree } from './layer-tree.ts';
import { type Owner, resolveOwner } from './owner.ts';
import { type CopyAttributes, type Selection, selectSources } from './select-sources.ts';
import { StackedFolders } from './stacked-folders.ts';

/** A source that lies ready on this machine. */
export type LocalSource =
  | Extract<CopySource, { kind: 'path' }>
  /** A file alone in a folder: a download, or one written in the Dockerfile. */
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly folder: string;
      /** See Selection. */
      readonly isInTree: boolean;
    }
  /** All files of a folder: a repository. */
  | { readonly kind: 'folder'; readonly folder: string };

/** A request as the worker threads get it. */
export interface LocalRequest extends Omit<CopyRequest, 'sources'> {
  readonly sources: readonly LocalSource[];
}

export const ROOT: Owner = { uid: 0, gid: 0 };

/** The sources of one COPY, while a task works on them. */
export interface GatheredSources {
  readonly selections: readonly Selection[];
  readonly image: StackedFolders;
  /** Of folders that are made on the way. */
  readonly owner: Owner;
  readonly digester: FileDigester;
  readonly memo: DigestMemo;
  /** Lists of the folder that is the only source; undefined for all else. */
  readonly lists: ListMemo | undefined;
}

/** Finds all sources; nothing is read but names and metadata. */
export function gatherSources(request: LocalRequest, signal: AbortSignal): GatheredSources {
  const since = Date.now();
  const { from, chown } = request;
  const image = new StackedFolders(request.base);
  const isContext = from.kind === 'context';
  const owner = chown === undefined ? undefined : resolveOwner(chown, image);
  const attributes: CopyAttributes = {
    owner: owner ?? (isContext ? ROOT : undefined),
    mode: request.chmod === undefined ? undefined : parseMode(request.chmod),
    isShared:
      request.isWritable !== true && (!isContext || from.context.index !== undefined || from.context.isOwn === true),
  };
  const options = { ...request, isContext, attributes };
  let tree: SourceTree | undefined;
  const selections: Selection[] = [];
  for (const source of request.sources) {
    if (source.kind === 'file') {
      selections.push(loneFile(source, { ...attributes, owner: owner ?? ROOT, isShared: false }));
      continue;
    }
    if (source.kind === 'folder') {
      const files = new ContextTree(realpathSync(source.folder), undefined);
      const own = { ...attributes, owner: owner ?? ROOT, isShared: false };
      selections.push(...selectSources(files, '.', { ...options, parents: false, attributes: own }));
      continue;
    }
    tree ??= openTree(request);
    selections.push(...selectSources(tree, source.path, options));
  }
  const memo = new DigestMemo(isContext ? from.context.memo : undefined);
  const digester = new FileDigester(memo, { since, signal });
  const lists = listsOf(request, selections);
  return { selections, image, owner: owner ?? ROOT, digester, memo, lists };
}

function listsOf(
  { from, excludes, sources }: LocalRequest,
  [only, second]: readonly Selection[],
): ListMemo | undefined {
  if (from.kind !== 'context' || from.context.memo === undefined || sources[0]?.kind !== 'path') return undefined;
  if (second || only?.root.type !== 'directory') return undefined;
  return new ListMemo(from.context.memo, only.root, [only.path, from.context.ignore ?? null, excludes]);
}

function openTree({ from }: LocalRequest): SourceTree {
  if (from.kind === 'layers') return new LayerTree(from.folders);
  const { folder, ignore, index, isOwn } = from.context;
  const rules = ignore === undefined ? undefined : new IgnoreMatcher(parseIgnore(ignore));
  const rows = index === undefined ? undefined : rowsByPath(index);
  return new ContextTree(realpathSync(folder), rules, { rows, clock: isOwn ? 'birth' : 'change' });
}

function loneFile(
  { name, folder, isInTree }: Extract<LocalSource, { kind: 'file' }>,
  attributes: CopyAttributes,
): Selection {
  const stat = quickStat(pathInFolder(folder, name));
  const root = stat && sourceFile({ path: name, folder, stat, isMutable: false }, () => undefined);
  if (!root) throw new Error(`file "${name}" of a copy is gone`);
  return { path: name, root, walk: (visit) => visit(root), into: '', attributes, isInTree };
}
