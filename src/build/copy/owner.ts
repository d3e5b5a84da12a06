import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Failure } from '../../lib/error.ts';
import { pathInFolder } from '../../tar/names.ts';
import { Format } from '../context/quick-stat.ts';
import type { StackedFolders } from './stacked-folders.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const TABLE_LIMIT = 4 << 20;
const HIGHEST_ID = 0xffff_fffe;

/**
 * Reads `user[:group]` of `--chown`. Names are looked up in the image's own /etc/passwd and /etc/group; a user without a
 * group gets the group of the same number, or of a name its group in passwd. Messages are Docker's.
 */
export function resolveOwner(chown: string, image: StackedFolders): Owner {
  const colon = chown.indexOf(':');
  const user = colon < 0 ? chown : chown.slice(0, colon);
  const group = colon < 0 ? undefined : chown.slice(colon + 1);
  const number = idOf(user);
  const row = number === undefined ? findRow(image, 'etc/passwd', user) : undefined;
  const uid = number ?? idOf(row?.[2] ?? '');
  if (uid === undefined) throw unknown('uid', 'user', user);
  if (group === undefined) return { uid, gid: number ?? idOf(row?.[3] ?? '') ?? uid };
  const gid = idOf(group) ?? idOf(findRow(image, 'etc/group', group)?.[2] ?? '');
  if (gid === undefined) throw unknown('gid', 'group', group);
  return { uid, gid };
}

function idOf(text: string): number | undefined {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= HIGHEST_ID ? id : undefined;
}

function findRow(image: StackedFolders, table: string, name: string): string[] | undefined {
  const { entry } = image.resolve(table);
  if (name === '' || entry?.stat.format !== Format.file) return undefined;
  return readTable(entry.place)
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
}

function readTable(place: string): string {
  const fd = openSync(pathInFolder(place, ''), 'r');
  try {
    const { size } = fstatSync(fd);
    if (size > TABLE_LIMIT)
      throw new Failure('invalid', 'USER_TABLE', 'the image has an /etc/passwd or /etc/group that is too large');
    const bytes = Buffer.alloc(size);
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

function unknown(id: string, kind: string, name: string): Failure {
  return new Failure(
    'not-found',
    'CHOWN_UNKNOWN',
    `unable to convert uid/gid chown string to host mapping: can't find ${id} for ${kind} ${name}: no such ${kind}: ${name}`,
    { hint: `use a number, or create the ${kind} in an earlier RUN` },
  );
}
