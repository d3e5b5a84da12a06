import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { systemCode } from '../../lib/error.ts';

const LENGTH = 32;

/** The key in the file at `path`, made when there is none: whole or not at all. */
export function tokenKey(path: string): Buffer {
  const aside = `${path}.${process.pid}`;
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  writeFileSync(aside, randomBytes(LENGTH), { mode: 0o600, flush: true });
  try {
    linkSync(aside, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error; // another process was quicker: its key counts
  } finally {
    rmSync(aside);
  }
  return readFileSync(path);
}
