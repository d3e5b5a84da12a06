import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { Failure, messageOf } from '../../lib/error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What connections to a database need, as the library takes it. Undefined: what the environment says (`PGHOST`, ...). */
export interface PostgresAddress {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** How connections are protected; false: not at all. */
  readonly ssl: ConnectionOptions | false;
  /** Whether a server without TLS serves as well. */
  readonly isTlsOptional: boolean;
}

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const PARAMETERS = ['host', 'port', 'user', 'password', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/**
 * Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?...`, where the folder of a unix socket stands for a host. Throws `invalid`.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function postgresAddress(text: string, env: Environment): PostgresAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol))
    throw wrong('invalid URL of a database: expected postgres://USER@HOST:PORT/DATABASE');
  const said = url.searchParams;
  const unknown = [...said.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined)
    throw wrong(`unknown word "${unknown}" in the URL of a database: expected ${PARAMETERS.join(', ')}`);
  const part = (name: string, own: string) => said.get(name) ?? (own === '' ? undefined : decoded(own));
  const host = part('host', url.hostname);
  const port = part('port', url.port);
  const isSocket = (host ?? env['PGHOST'] ?? '').startsWith('/');
  const { ssl, isTlsOptional } = tlsOf((name) => said.get(name) || env[`PG${name.toUpperCase()}`], env);
  return {
    host,
    port: port === undefined ? undefined : Number(port),
    user: part('user', url.username),
    password: part('password', url.password),
    database: part('', url.pathname.slice(1)),
    ssl: isSocket ? false : ssl,
    isTlsOptional,
  };
}

/**
 * `said` gives `sslmode`, `sslrootcert`, `sslcert` and `sslkey`, for the last three of which there may be files in `~/.postgresql`. As for
 * every client of PostgreSQL: without a word TLS is used where the server has it (`prefer`), and `require` looks at the certificate only
 * when there is a file of authorities. `sslrootcert=system`, or no such file, means the authorities that Node knows.
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 */
function tlsOf(
  said: (name: string) => string | undefined,
  env: Environment,
): Pick<PostgresAddress, 'ssl' | 'isTlsOptional'> {
  const home = (name: string) => {
    const path = join(env['HOME'] ?? homedir(), '.postgresql', name);
    return existsSync(path) ? path : undefined;
  };
  const root = said('sslrootcert') ?? home('root.crt');
  const cert = said('sslcert') ?? home('postgresql.crt');
  const key = said('sslkey') ?? home('postgresql.key');
  const mode = modeOf(said('sslmode') ?? (root === 'system' ? 'verify-full' : 'prefer'));
  const isTlsOptional = mode === 'prefer';
  if (mode === 'disable' || mode === 'allow') return { ssl: false, isTlsOptional };
  if (root === 'system' && mode !== 'verify-full')
    throw wrong(`sslrootcert=system needs sslmode=verify-full, not ${mode}`);
  const authorities = root === undefined || root === 'system' ? {} : { ca: readFile(root) };
  const isChecked = mode.startsWith('verify') || (mode === 'require' && 'ca' in authorities);
  const ssl: ConnectionOptions = {
    rejectUnauthorized: isChecked,
    ...(isChecked && authorities),
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
    ...(cert !== undefined && key !== undefined && { cert: readFile(cert), key: readFile(key) }),
  };
  return { ssl, isTlsOptional };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function modeOf(word: string): (typeof MODES)[number] {
  const mode = MODES.find((known) => known === word);
  if (mode === undefined) throw wrong(`invalid sslmode "${word}": expected ${MODES.join(', ')}`);
  return mode;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`cannot read ${path}: ${messageOf(error)}`, error);
  }
}

function wrong(message: string, cause?: unknown): Failure {
  return new Failure('invalid', 'METADATA_ADDRESS', message, cause === undefined ? {} : { cause });
}
