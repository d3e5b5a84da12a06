import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../lib/error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface PostgresLogin {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * The password of a line of the file `PGPASSFILE` (`~/.pgpass`): `host:port:database:user:password`, where `*` is any and a backslash
 * takes the meaning of the next letter; undefined when there is none. Read for each connection: it may have changed. Throws when others than its owner may read the file.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function passwordOf(login: PostgresLogin, env: Environment): string | undefined {
  const path = env['PGPASSFILE'] || join(env['HOME'] ?? homedir(), '.pgpass');
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) return undefined;
  if ((found.mode & 0o077) !== 0)
    throw new Failure('unavailable', 'METADATA_PASSWORD', `others may read the file of passwords ${path}`, {
      hint: `chmod 600 ${path}`,
    });
  // A socket in whatever folder is at this machine.
  const host = login.host.startsWith('/') ? ['localhost', login.host] : [login.host];
  const wanted = [host, [String(login.port)], [login.database], [login.user]];
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const [, ...fields] =
      /^((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):(.*)$/.exec(line) ?? [];
    const [password = '', ...names] = fields.reverse();
    if (names.length === 4 && names.reverse().every((name, at) => name === '*' || wanted[at]?.includes(plain(name))))
      return plain(password);
  }
  return undefined;
}

const plain = (field: string) => field.replace(/\\(.)/g, '$1');
