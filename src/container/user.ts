import { readInside } from '../host/inside-root.ts';
import { Failure } from '../lib/error.ts';

/** Who a process runs as. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the main one first. */
  readonly additionalGids: readonly number[];
  readonly home: string;
}

const LIMIT = 4 << 20;
const LARGEST_ID = 2 ** 31 - 1;

/**
 * Resolves USER (`name|uid[:group|gid]`, empty is root) with /etc/passwd and /etc/group of the file system at `root`, as
 * Docker does: a bare number needs no entry; without a stated group come the user's main and supplementary groups.
 * `groupAdd` are further groups. Unknown names are a Failure of kind `invalid`.
 */
export function resolveUser(root: string, user: string, groupAdd: readonly string[] = []): ResolvedUser {
  const [name = '', group = ''] = user.split(':');
  const passwd = rows(root, '/etc/passwd');
  const groups = rows(root, '/etc/group');
  const wanted = name === '' ? '0' : name;
  const entry = passwd.find((row) => row[0] === wanted) ?? passwd.find((row) => row[2] === wanted);
  const uid = entry ? Number(entry[2]) : idOf(wanted);
  if (uid === undefined) throw invalid(`unable to find user ${name}: no matching entries in passwd file`);
  const groupId = (text: string, unable = 'unable'): number => {
    const found = groups.find((row) => row[0] === text);
    const gid = found ? Number(found[2]) : idOf(text);
    if (gid === undefined) throw invalid(`${unable} to find group ${text}: no matching entries in group file`);
    return gid;
  };
  const gid = group !== '' ? groupId(group) : entry ? Number(entry[3]) : 0;
  const member = entry && group === '' ? groups.filter((row) => row[3]?.split(',').includes(entry[0] ?? '')) : [];
  const added = groupAdd.map((group) => groupId(group, 'Unable'));
  const additionalGids = [gid, ...member.map((row) => Number(row[2])), ...added];
  const ids = [uid, ...additionalGids];
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id <= LARGEST_ID))
    throw invalid(`uids and gids must be in range 0-${LARGEST_ID}`);
  return { uid, gid, additionalGids: [...new Set(additionalGids)], home: entry?.[5] || '/' };
}

function rows(root: string, path: string): string[][] {
  const text = readInside(root, path, LIMIT)?.toString('utf8') ?? '';
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.trimEnd().split(':'));
}

function idOf(text: string): number | undefined {
  return /^-?\d{1,19}$/.test(text) ? Number(text) : undefined;
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'USER_INVALID', message, { exitCode: 126 });
}
