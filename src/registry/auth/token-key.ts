import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';
import { makeFolder } from '../../lib/make-folder.ts';

const LENGTH = 32;

/** The key in the file at `path`, which all nodes of a registry get. */
export function sharedTokenKey(path: string): Buffer {
  let key: Buffer;
  try {
    key = readFileSync(path);
  } catch (error) {
    throw new Failure('invalid', 'FILE_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (key.length >= LENGTH) return key;
  throw new Failure('invalid', 'TOKEN_KEY', `the key in ${path} has ${key.length} bytes, too few to be safe`, {
    hint: `make one: head -c ${LENGTH} /dev/urandom > ${path}`,
  });
}

/** The key of this node in the file at `path`, made when there is none: whole or not at all. */
export function tokenKey(path: string): Buffer {
  const aside = `${path}.${process.pid}`;
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  makeFolder(dirname(path), 0o700);
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
