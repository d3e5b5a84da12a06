import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { systemCode } from '../../lib/error.ts';

/** Notes kept in one folder, and the bytes of them all. */
const LIMIT = 256;
const BYTES = 256 << 20;

/** The bytes of a note; undefined when it is not there. */
export function readNote(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Writes a note, whole or not at all; its folder is made when needed, and the oldest notes in it make room. False when the
 * disk is full: a note is worth something, not a build.
 */
export function writeNote(path: string, pieces: readonly Uint8Array[]): boolean {
  const temporary = `${path}.${process.pid}-${threadId}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const isNew = identityOf(path) === undefined;
    writeFileSync(temporary, '', { mode: 0o600 });
    for (const piece of pieces) appendFileSync(temporary, piece);
    renameSync(temporary, path);
    if (isNew) removeOldest(dirname(path));
    return true;
  } catch (error) {
    rmSync(temporary, { force: true });
    if (systemCode(error) !== 'ENOSPC') throw error;
    return false;
  }
}

/** Tells one writing of a note from the next; undefined when it is not there. */
export function identityOf(path: string): string | undefined {
  const stat = statSync(path, QUIET);
  return stat && `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}

/** Keeps the notes that changed last. */
function removeOldest(folder: string): void {
  const notes = readdirSync(folder).map((name) => {
    const path = join(folder, name);
    const stat = statSync(path, QUIET);
    return { path, time: stat?.mtimeMs ?? 0, size: stat?.size ?? 0 };
  });
  let bytes = 0;
  for (const [number, { path, size }] of notes.sort((a, b) => b.time - a.time).entries()) {
    if (number >= LIMIT || bytes + size > BYTES) rmSync(path, { force: true });
    else bytes += size;
  }
}

const QUIET = { throwIfNoEntry: false } as const;
