import { readFileSync, statSync } from 'node:fs';
import { Failure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';

const LOOK_AGAIN = 1_000;

/** What a file says, as of at most a second ago. */
export interface WatchedFile<T> {
  readonly value: T;
  /** Another number after every change. */
  readonly version: number;
}

/**
 * Reads a file with `parse` now, when a wrong one is refused, and again whenever it has changed. A change that cannot be read is
 * logged, and what was true before stays true.
 */
export function watchFile<T>(path: string, parse: (text: string) => T, log: Log): () => WatchedFile<T> {
  let state = stateOf(path);
  let current: WatchedFile<T> = { value: parse(readText(path)), version: 0 };
  let looked = Date.now();
  return () => {
    const now = Date.now();
    if (now - looked < LOOK_AGAIN) return current;
    looked = now;
    try {
      const found = stateOf(path);
      if (found === state) return current;
      current = { value: parse(readText(path)), version: current.version + 1 };
      state = found;
    } catch (error) {
      log.error('cannot read a file again', { path, error: messageOf(error) });
    }
    return current;
  };
}

function stateOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : '';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure('invalid', 'FILE_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
