import { linkSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { makeWhiteout, setXattr } from '../host/file-system-calls.ts';
import { Failure } from '../lib/error.ts';
import type { LayerEntry } from '../tar/layer-entry.ts';
import { pathInFolder } from '../tar/names.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../tar/whiteout.ts';

/** A name in a tree that is being made. */
export interface TreeNode {
  readonly path: string;
  readonly parent: TreeNode | undefined;
  readonly kind: 'directory' | 'symlink' | 'whiteout' | 'other';
  /** Of a directory. */
  readonly children: Map<string, TreeNode>;
  /** Text of a symlink. */
  readonly target: string;
  opaque: { readonly offset: number } | undefined;
  /** Undefined: a directory that entries inside it imply. */
  row: LayerEntry | undefined;
}

/** As many links as the kernel follows in one path. */
const LINK_LIMIT = 40;
const NO_CHILDREN = new Map<string, TreeNode>();

/**
 * A tree that is made in a private, empty folder, and its picture in memory. Paths of a hostile archive are resolved in
 * the picture alone, symlinks inside the root as after chroot; the kernel gets paths without a symlink in them.
 */
export class PrivateTree {
  readonly root: TreeNode = newNode('', undefined, 'directory');
  readonly #folder: string;
  readonly #reserved: string | undefined;
  readonly #onRemove: (node: TreeNode) => void;
  /** The directory resolved last: entries come in the order of directories. */
  #recent: { readonly path: string; readonly node: TreeNode } | undefined;

  /**
   * Names that begin with `reserved` are refused. `onRemove` is called for each name that is not a directory, before it
   * goes.
   */
  constructor(
    folder: string,
    options: { readonly reserved: string | undefined; readonly onRemove: (node: TreeNode) => void },
  ) {
    this.#folder = folder;
    this.#reserved = options.reserved;
    this.#onRemove = options.onRemove;
  }

  /** Path of a node for system calls. */
  diskPath(node: TreeNode): string | Buffer {
    return pathInFolder(this.#folder, node.path);
  }

  /**
   * The directory that `path` leads to; what is missing on the way is made. A `..` above the root, and a parent that is
   * not a directory, are refused.
   */
  directory(path: string): TreeNode {
    if (path === '') return this.root;
    if (this.#recent?.path === path) return this.#recent.node;
    const node = this.#walk(path, true);
    if (!node) throw new Error('a directory was not made');
    this.#recent = { path, node };
    return node;
  }

  /** What stands at `path`, symlinks in its parents followed and the last one not; undefined when nothing does. */
  find(path: string): TreeNode | undefined {
    const { directory, name } = splitName(path);
    const parent = this.#walk(directory, false);
    return name === '' ? parent : parent?.children.get(name);
  }

  /** Adds a name that does not exist to the picture; the caller makes it on disk. */
  add(parent: TreeNode, name: string, kind: TreeNode['kind'], target = ''): TreeNode {
    const path = parent.path === '' ? name : `${parent.path}/${name}`;
    if (this.#reserved !== undefined && name.startsWith(this.#reserved))
      throw refused(path, 'is a directory with the name of a whiteout');
    const node = newNode(path, parent, kind, target);
    parent.children.set(name, node);
    return node;
  }

  /**
   * Makes a directory, or keeps the one that is there. What else has the name goes; where a whiteout was, the directory
   * is opaque, since lower content stays deleted.
   */
  makeDirectory(parent: TreeNode, name: string): TreeNode {
    const existing = parent.children.get(name);
    if (existing?.kind === 'directory') return existing;
    const whiteout = existing?.kind === 'whiteout' ? existing : undefined;
    if (existing) this.remove(existing);
    const node = this.add(parent, name, 'directory');
    mkdirSync(this.diskPath(node), 0o700);
    if (whiteout) this.makeOpaque(node, whiteout.row?.offset ?? -1);
    return node;
  }

  makeWhiteout(parent: TreeNode, name: string): TreeNode {
    const node = this.add(parent, name, 'whiteout');
    makeWhiteout(this.diskPath(node));
    return node;
  }

  makeOpaque(directory: TreeNode, offset: number): void {
    directory.opaque = { offset };
    setXattr(this.diskPath(directory), OPAQUE_XATTR, OPAQUE_VALUE);
  }

  makeHardLink(target: TreeNode, parent: TreeNode, name: string): TreeNode {
    const node = this.add(parent, name, target.kind, target.target);
    linkSync(this.diskPath(target), this.diskPath(node));
    return node;
  }

  /** Removes a name, a directory with all that is in it. */
  remove(node: TreeNode): void {
    this.#recent = undefined;
    for (const child of node.children.values()) this.remove(child);
    if (node.kind === 'directory') rmdirSync(this.diskPath(node));
    else {
      this.#onRemove(node);
      unlinkSync(this.diskPath(node));
    }
    node.parent?.children.delete(node.path.slice(node.path.lastIndexOf('/') + 1));
  }

  /** All nodes, sorted as rows of an index are. */
  *nodes(): Generator<TreeNode> {
    const pending = [this.root];
    for (let node = pending.pop(); node; node = pending.pop()) {
      yield node;
      for (const name of [...node.children.keys()].sort().reverse()) {
        const child = node.children.get(name);
        if (child) pending.push(child);
      }
    }
  }

  #walk(path: string, make: boolean): TreeNode | undefined {
    const pending = path.split('/').reverse();
    let node = this.root;
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (!node.parent && links === 0) throw refused(path, 'leads outside of the archive with ".."');
        node = node.parent ?? node;
        continue;
      }
      const next = node.children.get(name);
      if (next?.kind === 'symlink') {
        if (++links > LINK_LIMIT) throw refused(path, 'goes through too many symbolic links');
        if (next.target.startsWith('/')) node = this.root;
        pending.push(...next.target.split('/').reverse());
      } else if (next?.kind === 'directory') node = next;
      else if (!make) return undefined;
      else if (next?.kind === 'other') throw refused(path, `goes through "${next.path}", which is not a directory`);
      else node = this.makeDirectory(node, name);
    }
    return node;
  }
}

/** Splits a path into the path of its directory and its last name, which is '' for the root. */
export function splitName(path: string): { directory: string; name: string } {
  let end = path.length;
  for (;;) {
    if (path[end - 1] === '/') end--;
    else if (path[end - 1] === '.' && (end === 1 || path[end - 2] === '/')) end--;
    else break;
  }
  const slash = path.lastIndexOf('/', end - 1);
  if (end === 0) return { directory: '', name: '' };
  const name = path.slice(slash + 1, end);
  if (name === '..') throw refused(path, 'ends in ".."');
  return { directory: slash < 0 ? '' : path.slice(0, slash), name };
}

/** A path in an archive that Strake does not follow. */
export function refused(path: string, why: string): Failure {
  return new Failure('invalid', 'TAR_ENTRY_REFUSED', `tar entry "${path}" ${why}`);
}

function newNode(path: string, parent: TreeNode | undefined, kind: TreeNode['kind'], target = ''): TreeNode {
  const children = kind === 'directory' ? new Map<string, TreeNode>() : NO_CHILDREN;
  return { path, parent, kind, children, target, opaque: undefined, row: undefined };
}
