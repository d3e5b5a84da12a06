import { hash, randomBytes } from 'node:crypto';
import type { Log } from '../../lib/log.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { Refusal } from '../codes.ts';
import { parseHtpasswd } from './htpasswd.ts';
import type { PasswordCheck } from './password-tasks.ts';
import { watchFile } from './watched-file.ts';

const MOST_KNOWN = 1_000;
const MOST_WAITING = 64;
/** Of a password that nobody has: who asks for an unknown user learns nothing by the time that it takes. */
const NOBODY = '$2b$10$aAs/hv2/iJ4AOOjym3wfbuNF4q6Dl3UhaAcYQRVbcsaCv9bOY9Q9y';

export interface Users {
  /** The user that these credentials (`Basic ...`) are of; undefined when they are wrong. */
  identify(authorization: string): Promise<string | undefined>;
  /** Of the password that a user has now: another one after every change. Undefined when there is no such user. */
  stampOf(user: string): string | undefined;
}

/**
 * Users of a htpasswd file, which may change at any time. A check that succeeded is remembered, under a digest of the credentials
 * with a salt of this process, until the file changes: only the first request of a client pays for it.
 */
export function usersOf(file: string, checks: WorkerPool, log: Log): Users {
  const watched = watchFile(file, (text) => parseHtpasswd(text, file), log);
  const salt = randomBytes(32).toString('hex');
  const known = new Map<string, string>();
  let knownVersion = 0;
  let waiting = 0;

  return {
    stampOf(user) {
      const stored = watched().value.get(user);
      return stored === undefined ? undefined : hash('sha256', stored, 'base64url').slice(0, 22);
    },
    async identify(authorization) {
      const { value: users, version } = watched();
      if (version !== knownVersion) {
        known.clear();
        knownVersion = version;
      }
      const key = hash('sha256', salt + authorization, 'base64');
      const user = known.get(key);
      if (user !== undefined) return user;
      const given = credentialsOf(authorization);
      if (!given) return undefined;
      if (waiting >= MOST_WAITING) throw new Refusal('TOOMANYREQUESTS');
      waiting++;
      try {
        const stored = users.get(given.user);
        const check: PasswordCheck = { password: given.password, hash: stored ?? NOBODY };
        const { signal } = new AbortController();
        const right = await checks.run<boolean>('checkPassword', check, { signal });
        if (!right || stored === undefined) return undefined;
      } finally {
        waiting--;
      }
      if (version === knownVersion) remember(known, key, given.user);
      return given.user;
    },
  };
}

function remember(known: Map<string, string>, key: string, user: string): void {
  known.set(key, user);
  const [oldest] = known.keys();
  if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
}

function credentialsOf(authorization: string): { user: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon <= 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
