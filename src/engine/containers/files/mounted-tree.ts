import { constants, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { type FileStat, statFile } from '../../../host/file-system-calls.ts';
import { openInside } from '../../../host/inside-root.ts';
import { systemCode } from '../../../lib/error.ts';
import { decodeName, encodeName } from '../../../tar/names.ts';

/** What is mounted into a container, and where the host has it. */
export interface TreeMount {
  readonly destination: string;
  readonly source: string;
  readonly kind: 'folder' | 'file';
  readonly readOnly: boolean;
}

/** A file system with mounts in it, as plain data: it goes to worker threads. */
export interface TreeParts {
  readonly root: string;
  readonly mounts: readonly TreeMount[];
}

/** A place in the tree. `path` names it, while it is open, in system calls that do not follow links. */
export interface TreePlace extends Disposable {
  readonly path: string | Buffer;
}

/** As many links as the kernel follows in one path. */
const LINK_LIMIT = 40;
const KIND = 0o170000;
const FOLDER = 0o040000;
const LINK = 0o120000;

/**
 * The file system of a container as its processes see it, used from outside: its root and what the host mounts into it.
 * Symbolic links and `..` lead nowhere else, not even when the container changes them meanwhile: every step is taken in
 * an open folder. "Real" paths are absolute, in the container, and have no link but perhaps the last name.
 */
export class MountedTree {
  readonly #root: string;
  /** By real destination. */
  readonly #mounts = new Map<string, TreeMount>();

  constructor({ root, mounts }: TreeParts) {
    this.#root = root;
    const outerFirst = mounts.toSorted((a, b) => a.destination.length - b.destination.length);
    for (const mount of outerFirst) this.#mounts.set(this.resolve(mount.destination, { missing: 'keep' }), mount);
  }

  /**
   * The real path that `path` leads to, the last link followed too. What is missing throws ENOENT, or is kept as it is
   * written.
   */
  resolve(path: string, { missing }: { readonly missing: 'throw' | 'keep' }): string {
    const pending = path.split('/').reverse();
    let at = '/';
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      const next = posix.join(at, name);
      if (name === '..') {
        at = next;
        continue;
      }
      const target = this.#step(next, missing);
      if (target === undefined) at = next;
      else {
        if (++links > LINK_LIMIT) throw systemError('ELOOP', 'too many levels of symbolic links', path);
        if (target.startsWith('/')) at = '/';
        pending.push(...target.split('/').reverse());
      }
    }
    return at;
  }

  /** Opens a real path. */
  place(real: string): TreePlace {
    const { root, rest, mount } = this.#source(real);
    if (rest === '' && mount?.kind === 'file') return { path: mount.source, [Symbol.dispose]() {} };
    const folder = openInside(root, encodeName(posix.dirname(rest || '/')), OPEN_FOLDER);
    const name = rest === '' || rest === '/' ? '.' : posix.basename(rest);
    return { path: joined(folder.path, name), [Symbol.dispose]: () => folder[Symbol.dispose]() };
  }

  /** Opens the folder at a real path; names can then be joined to its `path`. */
  folder(real: string): TreePlace {
    const { root, rest } = this.#source(real);
    return openInside(root, encodeName(rest || '/'), OPEN_FOLDER);
  }

  stat(real: string): FileStat {
    using place = this.place(real);
    return statFile(place.path);
  }

  /** Whether the host mounts something at a real path. */
  isMount(real: string): boolean {
    return this.#mounts.has(real);
  }

  /** Whether the host mounts something at a real path or below it. */
  holdsMount(real: string): boolean {
    return [...this.#mounts.keys()].some((destination) => `${destination}/`.startsWith(`${real}/`));
  }

  /** The mount that a real path lies in. */
  mountOf(real: string): TreeMount | undefined {
    return this.#source(real).mount;
  }

  /** Text of the link at a real path; undefined when there is something else, or nothing and `missing` is `keep`. */
  #step(real: string, missing: 'throw' | 'keep'): string | undefined {
    try {
      using place = this.place(real);
      if ((statFile(place.path).mode & KIND) !== LINK) return undefined;
      return decodeName(readlinkSync(place.path, { encoding: 'buffer' }));
    } catch (error) {
      if (missing === 'keep' && ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** Where the host has a real path: below which root, and `rest` from there. */
  #source(real: string): { readonly root: string; readonly rest: string; readonly mount: TreeMount | undefined } {
    for (let at = real; ; at = posix.dirname(at)) {
      const mount = this.#mounts.get(at);
      if (mount) return { root: mount.source, rest: real.slice(at.length), mount };
      if (at === '/') return { root: this.#root, rest: real, mount: undefined };
    }
  }
}

const OPEN_FOLDER = 0o10000000 | constants.O_DIRECTORY; // O_PATH

/** A name in an open folder. */
export function joined(folder: string | Buffer, name: string): string | Buffer {
  if (typeof folder === 'string' && name.isWellFormed()) return `${folder}/${name}`;
  return Buffer.concat([Buffer.from(folder), Buffer.from('/'), encodeName(name)]);
}

export function isFolder({ mode }: Pick<FileStat, 'mode'>): boolean {
  return (mode & KIND) === FOLDER;
}

export function isLink({ mode }: Pick<FileStat, 'mode'>): boolean {
  return (mode & KIND) === LINK;
}

function systemError(code: string, text: string, path: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: ${text}, '${path}'`);
  error.code = code;
  return error;
}
