import { readdirSync, readlinkSync } from 'node:fs';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { decodeName, pathInFolder } from '../../tar/names.ts';
import { quickStat } from './quick-stat.ts';
import { describe, joinPath, type SourceFile, type SourceTree, sourceFile } from './source-file.ts';

/** Rules of a .dockerignore. Paths are below the context's root. */
export interface IgnoreRules {
  ignores(path: string): boolean;
  /** Whether something below an ignored folder may not be ignored. */
  mayContainExceptions(folder: string): boolean;
}

/** A folder of this machine as a build context: what .dockerignore names does not exist in it, nor do sockets. */
export class ContextTree implements SourceTree {
  readonly #root: string;
  readonly #rules: IgnoreRules | undefined;
  readonly #rows: ReadonlyMap<string, LayerEntry> | undefined;

  /** `rows` are those of an unpacked tar that nobody changes. */
  constructor(root: string, rules: IgnoreRules | undefined, rows?: ReadonlyMap<string, LayerEntry>) {
    this.#root = root;
    this.#rules = rules;
    this.#rows = rows;
  }

  find(path: string): SourceFile | undefined {
    const file = this.#look(path);
    if (!file || !this.#rules || path === '') return file;
    if (!this.#rules.ignores(path)) return file;
    if (file.type !== 'directory' || !this.#rules.mayContainExceptions(path)) return undefined;
    let isEmpty = true;
    this.#walk(path, () => {
      isEmpty = false;
      return false;
    });
    return isEmpty ? undefined : file;
  }

  names(folder: string): readonly string[] {
    return this.#read(folder).filter((name) => this.find(joinPath(folder, name)) !== undefined);
  }

  walk(folder: string, visit: (file: SourceFile) => void): void {
    this.#walk(folder, (file) => {
      visit(file);
      return true;
    });
  }

  /** Stops when `visit` says false. Ignored folders are visited once something in them is. */
  #walk(folder: string, visit: (file: SourceFile) => boolean, pending: SourceFile[] = []): boolean {
    const rules = this.#rules;
    for (const name of this.#read(folder)) {
      const path = joinPath(folder, name);
      const isIgnored = rules?.ignores(path) ?? false;
      if (isIgnored && !rules?.mayContainExceptions(path)) continue;
      const file = this.#look(path);
      if (!file) continue; // gone since the folder was read, or a socket
      if (isIgnored) {
        if (file.type !== 'directory') continue;
        pending.push(file);
        if (!this.#walk(path, visit, pending)) return false;
        if (pending.at(-1) === file) pending.pop();
        continue;
      }
      for (const parent of pending.splice(0)) if (!visit(parent)) return false;
      if (!visit(file)) return false;
      if (file.type === 'directory' && !this.#walk(path, visit)) return false;
    }
    return true;
  }

  #look(path: string): SourceFile | undefined {
    const place = pathInFolder(this.#root, path);
    const stat = this.#guard(path, () => quickStat(place));
    if (!stat) return undefined;
    const found = { path, folder: this.#root, stat, isMutable: this.#rows === undefined };
    const file = sourceFile(found, () => this.#readLink(path));
    if (file && this.#rows) describe(file, this.#rows);
    return file;
  }

  #read(folder: string): string[] {
    const place = pathInFolder(this.#root, folder);
    const names = this.#guard(folder, () => readdirSync(place)) ?? [];
    if (names.some((name) => name.includes('\ufffd')))
      return (this.#guard(folder, () => readdirSync(place, { encoding: 'buffer' })) ?? []).map(decodeName).sort();
    return names.sort();
  }

  #readLink(path: string): string | undefined {
    const place = pathInFolder(this.#root, path);
    const target = this.#guard(path, () => readlinkSync(place, { encoding: 'buffer' }));
    return target && decodeName(target);
  }

  /** What went away during the walk is not there; what cannot be read is named. */
  #guard<T>(path: string, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      refuseUnlessGone(error, path);
      return undefined;
    }
  }
}

/** A system error from a file of the context as a Failure that names the file; none when the file is gone. */
function refuseUnlessGone(error: unknown, path: string): void {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EINVAL') return;
  throw unreadable(path, error);
}

export function unreadable(path: string, error: unknown): Failure {
  return new Failure('denied', 'CONTEXT_UNREADABLE', `can't read "${path}" of the build context: ${messageOf(error)}`, {
    hint: 'make it readable, or name it in .dockerignore',
    cause: error,
  });
}
