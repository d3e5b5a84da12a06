import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, systemCode } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { Reserve } from '../lib/reserve.ts';

/** Names removed before the event loop gets its turn: about a millisecond. */
const BATCH = 64;
const PAUSE_MS = 4;
/** Folders whose path is longer go to the top of the trash first: a tree may be deeper than a path may be long. */
const DEEP = 1024;
const SLASH = Buffer.from('/');

/**
 * Where folders go to be deleted: a rename now, the unlinks later and slowly, because mass deletion makes the file
 * system slow for everyone. What is left when the process ends is deleted by the next one.
 */
export class Trash implements AsyncDisposable {
  readonly #folder: string;
  readonly #log: Log;
  readonly #reserve: Reserve;
  readonly #stop = new AbortController();
  #sweeping: Promise<void> | undefined;

  /** `folder` is made (0700); what it holds already is deleted too. `reserve` is filled again whenever all is deleted. */
  constructor(folder: string, { log, reserve }: { readonly log: Log; readonly reserve: Reserve }) {
    this.#folder = folder;
    this.#log = log;
    this.#reserve = reserve;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#sweep();
  }

  /** Takes away the file or folder at `path` (same file system). It is gone from there on return; no path, no error. */
  discard(path: string | Buffer): void {
    try {
      this.#reserve.spend(() => renameSync(path, join(this.#folder, randomBytes(8).toString('hex'))));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    this.#sweep();
  }

  /** Resolves when the trash is empty, or holds only what cannot be deleted. */
  async emptied(): Promise<void> {
    await this.#sweeping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sweeping;
  }

  #sweep(): void {
    this.#sweeping ??= this.#run().finally(() => {
      this.#sweeping = undefined;
    });
  }

  async #run(): Promise<void> {
    const failed = new Set<string>();
    for (;;) {
      await this.#breathe();
      if (this.#stop.signal.aborted) return;
      const name = readdirSync(this.#folder).find((entry) => !failed.has(entry));
      if (name === undefined) return this.#reserve.fill();
      const path = join(this.#folder, name);
      try {
        refuseMounts(path);
        await this.#remove(Buffer.from(path), { removed: 0 });
      } catch (error) {
        failed.add(name);
        this.#log.warn('cannot delete from the trash', { path, error: messageOf(error) });
      }
    }
  }

  async #remove(path: Buffer, progress: { removed: number }): Promise<void> {
    if (++progress.removed % BATCH === 0) await this.#breathe();
    if (this.#stop.signal.aborted || isUnlinked(path)) return;
    if (path.length > DEEP) return this.discard(path);
    chmodSync(path, 0o700);
    // With the encoding "buffer" names are Buffers, which the types of node:fs do not say: layers may hold any bytes.
    const directory = opendirSync(path, { encoding: 'buffer' as BufferEncoding });
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
        await this.#remove(Buffer.concat([path, SLASH, entry.name as unknown as Buffer]), progress);
    } finally {
      directory.closeSync();
    }
    if (!this.#stop.signal.aborted) rmdirSync(path);
  }

  async #breathe(): Promise<void> {
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

/** A mount inside the trash would lead the deletion into files that are not ours. */
function refuseMounts(path: string): void {
  const inside = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .find((point) => point === path || point.startsWith(`${path}/`));
  if (inside !== undefined) throw new Error(`${inside} is mounted`);
}

/** Spaces, tabs, newlines and backslashes in paths of /proc/self/mountinfo are `\ooo`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** False when it is a folder. Never follows a symbolic link. */
function isUnlinked(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    if (systemCode(error) === 'EISDIR' || systemCode(error) === 'EPERM') return false;
    throw error;
  }
}
