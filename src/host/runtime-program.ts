import { closeSync, statSync } from 'node:fs';
import { copyProgram } from './memory-file.ts';
import { type Cover, withCover } from './mount-view.ts';

/** An OCI runtime that works on this machine. */
export interface RuntimeProgram {
  readonly name: 'crun' | 'runc';
  readonly path: string;
  /** What `--version` says first, without the name. */
  readonly version: string;
  /**
   * crun refuses to work with v1 controllers beside a v2 tree, though that one is unused: it sees a v1 tree twice, where what
   * it makes is removed with the rest.
   */
  readonly cover?: Cover;
}

/** Starts the runtime by `start`, which may not wait, so that it sees what it is to see. */
export function startRuntime<T>({ cover }: Pick<RuntimeProgram, 'cover'>, start: () => T): T {
  return cover ? withCover(cover, start) : start();
}

/** Which file is at a path: changes when the program is replaced. */
export function fileVersion(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${path} ${ino} ${size} ${mtimeMs}`;
}

let copy: { readonly version: string; readonly fd: number } | undefined;

/**
 * The file to execute for the runtime. crun copies itself into a sealed file in memory at every start and starts again
 * from there, so that no container can write to the program that holds it; from our copy, made once, it need not. Throws
 * ENOENT when the program is gone.
 */
export function executableOf({ name, path }: Pick<RuntimeProgram, 'name' | 'path'>): string {
  const version = fileVersion(path);
  if (name !== 'crun') return path;
  if (copy?.version !== version) {
    if (copy) closeSync(copy.fd);
    copy = undefined;
    copy = { version, fd: copyProgram(path) };
  }
  return `/proc/${process.pid}/fd/${copy.fd}`;
}
