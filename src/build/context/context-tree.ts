import { closeSync, constants, openSync, readdirSync, readlinkSync } from 'node:fs';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';
import { comparePaths, type LayerEntry } from '../../tar/layer-entry.ts';
import { decodeName, encodeName, pathInFolder } from '../../tar/names.ts';
import { type Clock, type QuickStat, quickStat, quickStatIn } from './quick-stat.ts';
import {
  describe,
  joinPath,
  type SourceFile,
  type SourceTree,
  sourceFile,
  type WalkOptions,
  type WalkPart,
} from './source-file.ts';

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
  readonly #clock: Clock;

  /** `rows` are those of an unpacked tar that nobody changes. */
  constructor(
    root: string,
    rules: IgnoreRules | undefined,
    {
      rows,
      clock = 'change',
    }: { readonly rows?: ReadonlyMap<string, LayerEntry> | undefined; readonly clock?: Clock } = {},
  ) {
    this.#root = root;
    this.#rules = rules;
    this.#rows = rows;
    this.#clock = clock;
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
    }, []);
    return isEmpty ? undefined : file;
  }

  names(folder: string): readonly string[] {
    return this.#read(folder).filter((name) => this.find(joinPath(folder, name)) !== undefined);
  }

  walk(folder: string, visit: (file: SourceFile) => void, options?: WalkOptions): void {
    const always = (file: SourceFile) => {
      visit(file);
      return true;
    };
    this.#walk(folder, always, [], options);
  }

  middle(folder: string): string | undefined {
    if (this.#rows) return undefined; // read from the index, not from the disk
    const found: string[] = [];
    for (let level = [folder]; level.length > 0 && found.length < ENOUGH_FOLDERS; ) {
      const next: string[] = [];
      for (const parent of level) {
        if (next.length >= ENOUGH_FOLDERS) break;
        const place = pathInFolder(this.#root, parent);
        for (const entry of this.#guard(parent, () => readdirSync(place, { withFileTypes: true })) ?? []) {
          const path = joinPath(parent, entry.name);
          if (entry.name.includes('\ufffd')) return undefined;
          if (entry.isDirectory() && !this.#rules?.ignores(path)) next.push(path);
        }
      }
      found.push(...next);
      level = next;
    }
    if (found.length < ENOUGH_FOLDERS) return undefined;
    return found.sort(comparePaths)[found.length >> 1];
  }

  /**
   * Stops when `visit` says false. Ignored folders are visited once something in them is: `pending` are those above that
   * wait for it.
   */
  #walk(
    folder: string,
    visit: (file: SourceFile) => boolean,
    pending: SourceFile[],
    options: WalkOptions = {},
  ): boolean {
    const { part, seen } = options;
    const rules = this.#rules;
    using open = new OpenFolder(pathInFolder(this.#root, folder), this.#clock);
    for (const name of this.#read(folder)) {
      const path = joinPath(folder, name);
      const place = part === undefined ? 'inside' : placeIn(part, path);
      if (place === 'after') return false;
      if (place === 'outside') continue;
      const isIgnored = rules?.ignores(path) ?? false;
      if (isIgnored && !rules?.mayContainExceptions(path)) continue;
      const file = this.#look(path, () => open.stat(name));
      if (!file) continue; // gone since the folder was read, or a socket
      seen?.(file);
      if (isIgnored) {
        if (file.type !== 'directory') continue;
        pending.push(file);
        open.close();
        if (!this.#walk(path, visit, pending, options)) return false;
        if (pending.at(-1) === file) pending.pop();
        continue;
      }
      for (const parent of pending.splice(0)) if (!visit(parent)) return false;
      if (place === 'inside' && !visit(file)) return false;
      if (file.type !== 'directory') continue;
      open.close();
      if (!this.#walk(path, visit, [], options)) return false;
    }
    return true;
  }

  #look(path: string, look = () => quickStat(pathInFolder(this.#root, path), this.#clock)): SourceFile | undefined {
    const stat = this.#guard(path, look);
    if (!stat) return undefined;
    const found = { path, folder: this.#root, stat, isMutable: this.#rows === undefined, clock: this.#clock };
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

/** A walk of fewer folders is soon done. */
const ENOUGH_FOLDERS = 32;

/** Where a path is in a part of a walk; `around` is a folder above the path where the part begins. */
function placeIn(part: WalkPart, path: string): 'inside' | 'outside' | 'around' | 'after' {
  if ('before' in part) return comparePaths(path, part.before) < 0 ? 'inside' : 'after';
  if (part.from.startsWith(`${path}/`)) return 'around';
  return comparePaths(path, part.from) < 0 ? 'outside' : 'inside';
}

/** A folder that is open while names in it are looked at, and no longer: few files are open at a time in a deep tree. */
class OpenFolder implements Disposable {
  readonly #path: string | Buffer;
  readonly #clock: Clock;
  #fd: number | undefined;

  constructor(path: string | Buffer, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  stat(name: string): QuickStat | undefined {
    this.#fd ??= openSync(this.#path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    return quickStatIn(this.#fd, name.isWellFormed() ? name : encodeName(name), this.#clock);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A system error from a file of the context as a Failure that names the file; none when the file is gone. */
function refuseUnlessGone(error: unknown, path: string): void {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EINVAL') return;
  throw unreadable(path, error);
}

/** A file of the context that the host may not read. */
export function unreadable(path: string, error: unknown): Failure {
  return new Failure('denied', 'CONTEXT_UNREADABLE', `can't read "${path}" of the build context: ${messageOf(error)}`, {
    hint: 'make it readable, or name it in .dockerignore',
    cause: error,
  });
}
