import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { systemCode } from '../../../lib/error.ts';
import type { ClientEntry } from './client-folder.ts';

/** Longer lists are not kept: they would take more memory than looking at the files takes time. */
const MOST_ENTRIES = 200_000;

/**
 * What a copy of a client's folder holds, by the list that it was made from: nobody else writes to a copy, so its files need not
 * be looked at to know which of them are as a new list has them. A list exists only while nothing is done to its copy.
 */
export class CopyList {
  readonly #states = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** The list at `path`, which is gone there from now on; an empty one when there is none. */
  static take(path: string | undefined): CopyList {
    const list = new CopyList();
    const text = path === undefined ? undefined : readText(path);
    if (path === undefined || text === undefined) return list;
    rmSync(path);
    const parts = text.split('\0');
    for (let at = 0; at + 1 < parts.length; at += 2) list.#add(parts[at] ?? '', parts[at + 1] ?? '');
    return list;
  }

  /** Whether the copy has this entry, as it is in the list. */
  holds(entry: ClientEntry): boolean {
    const state = this.#states.get(entry.path);
    return state !== undefined && state === stateOf(entry);
  }

  /** How many entries a folder of the copy has; undefined when that is not known. */
  countIn(folder: string): number | undefined {
    return this.#states.size === 0 ? undefined : (this.#counts.get(folder) ?? 0);
  }

  #add(path: string, state: string): void {
    if (state !== '') this.#states.set(path, state);
    const folder = posix.dirname(`/${path}`).slice(1);
    this.#counts.set(folder, (this.#counts.get(folder) ?? 0) + 1);
  }
}

/** Writes down what a copy holds, when it has become what these entries say. */
export class CopyListMaker {
  readonly #parts: string[] = [];

  add(entry: ClientEntry): void {
    if (this.#parts.length <= 2 * MOST_ENTRIES) this.#parts.push(entry.path, stateOf(entry) ?? '');
  }

  /** On a disk without space there is no list. */
  write(path: string): void {
    if (this.#parts.length > 2 * MOST_ENTRIES) return;
    try {
      writeFileSync(`${path}.new`, this.#parts.concat('').join('\0'), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      rmSync(`${path}.new`, { force: true });
      if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) throw error;
    }
  }
}

/** What makes an entry what it is; undefined for one that has to be looked at. */
function stateOf({ type, mode, size, modified, link, xattrs }: ClientEntry): string | undefined {
  if (xattrs.size > 0) return undefined;
  switch (type) {
    case 'file':
      return link === '' ? `file ${mode} ${size} ${modified}` : undefined; // another name of a file that may have changed
    case 'directory':
    case 'fifo':
      return `${type} ${mode} ${modified}`;
    case 'symlink':
      return `symlink ${modified} ${link}`;
    default:
      return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
