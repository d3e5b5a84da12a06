import { Failure } from '../../lib/error.ts';

const BCRYPT = /^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/;

/** Reads `user:bcrypt` lines, as `htpasswd -B` writes them: passwords by user. */
export function parseHtpasswd(text: string, file: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    const hash = entry.slice(colon + 1);
    if (colon <= 0 || !BCRYPT.test(hash))
      throw new Failure('invalid', 'HTPASSWD_INVALID', `${file}, line ${index + 1}: expected user:password in bcrypt`, {
        hint: 'write it with "htpasswd -B"',
      });
    users.set(entry.slice(0, colon), hash);
  }
  return users;
}
