import { closeSync, openSync, readSync } from 'node:fs';
import { Failure } from '../lib/error.ts';
import type { LayerEntry } from '../tar/layer-entry.ts';
import type { LayerIndexWriter } from '../tar/layer-index.ts';
import type { Piece } from '../tar/recipe.ts';
import type { TreeNode } from './private-tree.ts';

/** Content of an entry that the tar holds, wherever it is found now. */
interface Content {
  /** The name in the tree that has the content; undefined when it was overwritten by a later entry of the tar. */
  node: TreeNode | undefined;
  /** Place of an overwritten content in the raw bytes of the index. */
  kept: number;
}

type Mark = { offset: number; length: number; readonly content: Content | undefined };

/** The most bytes of overwritten files that an index keeps. */
export const OVERWRITTEN_LIMIT = 256 << 20;

/**
 * Follows where the bytes of a tar end up, so that the tar can be made again: headers and padding in the index, content
 * in the tree. When a later entry overwrites a file, the content moves to another of its hard links, or into the index.
 */
export class FileContents {
  readonly #index: LayerIndexWriter;
  readonly #isRecording: boolean;
  readonly #diskPath: (node: TreeNode) => string | Buffer;
  readonly #marks: Mark[] = [];
  readonly #contents = new Map<TreeNode, Content>();
  /** Names that share one file, the one with the `file` row first. */
  readonly #links = new Map<TreeNode, TreeNode[]>();
  #overwritten = 0;

  /** When not `isRecording`, the tar is not to be made again: only hard links are followed. */
  constructor(index: LayerIndexWriter, isRecording: boolean, diskPath: (node: TreeNode) => string | Buffer) {
    this.#index = index;
    this.#isRecording = isRecording;
    this.#diskPath = diskPath;
  }

  /** Bytes of the tar that are not content. */
  raw(bytes: Buffer): void {
    if (!this.#isRecording) return;
    const offset = this.#index.raw(bytes);
    const last = this.#marks.at(-1);
    if (last && !last.content && last.offset + last.length === offset) last.length += bytes.length;
    else this.#marks.push({ offset, length: bytes.length, content: undefined });
  }

  /** Bytes of the tar that go into a file at `offset`. */
  stored(node: TreeNode, offset: number, length: number): void {
    if (!this.#isRecording) return;
    let content = this.#contents.get(node);
    if (!content) {
      content = { node, kept: 0 };
      this.#contents.set(node, content);
    }
    const last = this.#marks.at(-1);
    if (last?.content === content && last.offset + last.length === offset) last.length += length;
    else this.#marks.push({ offset, length, content });
  }

  /** `node` was made a hard link to `target`. */
  link(target: TreeNode, node: TreeNode, offset: number): void {
    const group = this.#links.get(target) ?? [target];
    group.push(node);
    for (const member of [target, node]) this.#links.set(member, group);
    const first = group[0]?.row;
    if (first) node.row = linkRow(first, node.path, offset);
  }

  /** A name goes: its content must stay readable somewhere. Call before the file is removed. */
  forget(node: TreeNode): void {
    const group = this.#links.get(node);
    const wasFirst = group?.[0] === node;
    if (group) {
      group.splice(group.indexOf(node), 1);
      this.#links.delete(node);
    }
    if (group && !wasFirst) return;
    const heir = group?.[0];
    const content = this.#contents.get(node);
    this.#contents.delete(node);
    if (heir && node.row) {
      const own = heir.row;
      heir.row = { ...node.row, path: heir.path, offset: own?.offset ?? -1 };
      for (const member of group.slice(1))
        if (member.row) member.row = linkRow(heir.row, member.path, member.row.offset);
      if (!content) return;
      content.node = heir;
      this.#contents.set(heir, content);
    } else if (content) this.#keep(content, node);
  }

  /** How the tar is made again from the tree and the index; undefined when it is not to be. */
  recipe(rows: readonly LayerEntry[]): Piece[] | undefined {
    if (!this.#isRecording) return undefined;
    const numbers = new Map(rows.map((row, number) => [row, number]));
    return this.#marks.map(({ offset, length, content }): Piece => {
      if (!content) return { kind: 'raw', offset, length };
      if (!content.node) return { kind: 'raw', offset: content.kept + offset, length };
      const row = content.node.row && numbers.get(content.node.row);
      if (row === undefined) throw new Error(`the content of "${content.node.path}" has no row`);
      return { kind: 'content', row, offset, length };
    });
  }

  /** Copies a file that is about to be removed into the index. */
  #keep(content: Content, node: TreeNode): void {
    const size = node.row?.size ?? 0;
    this.#overwritten += size;
    if (this.#overwritten > OVERWRITTEN_LIMIT)
      throw new Failure(
        'exhausted',
        'TAR_OVERWRITES',
        `the archive overwrites more than ${OVERWRITTEN_LIMIT} bytes of its own files, the last one "${node.path}"`,
      );
    content.node = undefined;
    content.kept = this.#index.rawLength;
    const file = openSync(this.#diskPath(node), 'r');
    const buffer = Buffer.allocUnsafe(1 << 16);
    try {
      for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer))
        this.#index.raw(buffer.subarray(0, count));
    } finally {
      closeSync(file);
    }
  }
}

/** Row of a further name of a file: the attributes are the file's own. */
export function linkRow(first: LayerEntry, path: string, offset: number): LayerEntry {
  const own = { size: 0, digest: undefined, device: undefined, xattrs: undefined };
  return { ...first, ...own, path, type: 'hardlink', linkTarget: first.path, offset };
}
