import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';
import { chownSync, globSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scope } from '../lib/scope.ts';
import { makeScratchFolder } from '../lib/scratch.ts';

const programs = globSync('/usr/lib/postgresql/*/bin/initdb')
  .sort()
  .at(-1)
  ?.replace(/initdb$/, '');

/** Why tests with PostgreSQL are skipped, as node:test takes it. */
export const NO_POSTGRES = programs === undefined && 'needs a PostgreSQL server (Debian: postgresql)';

export interface TestPostgres extends AsyncDisposable {
  /** Where its socket is. */
  readonly folder: string;
  /** URL under which there are no tables yet. */
  makeDatabase(): Promise<string>;
  /** Stops it at once, as a crash does. */
  stop(): void;
  start(): void;
}

/** A server of its own, in a scratch folder, reached by a socket there. Its text is sorted as people do, so that nothing counts on bytes. */
export async function startPostgres(): Promise<TestPostgres> {
  await using scope = new Scope();
  const folder = scope.use(makeScratchFolder(tmpdir(), 'strake-pg')).path;
  const own = owner();
  if (own) chownSync(folder, own.uid, own.gid);
  const data = join(folder, 'data');
  const run = (program: string, ...args: string[]) => {
    const options: SpawnSyncOptions = { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...own };
    const { status, stderr } = spawnSync(`${programs}${program}`, args, options);
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
  };
  const locale = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];
  run('initdb', '-D', data, '-U', 'strake', '-A', 'trust', '--no-sync', ...locale);
  const settings = `-k ${folder} -c listen_addresses= -c fsync=off -c max_connections=60`;
  const start = () => run('pg_ctl', '-D', data, '-w', '-l', join(folder, 'log'), '-o', settings, 'start');
  const stop = () => run('pg_ctl', '-D', data, '-w', '-m', 'immediate', 'stop');
  scope.defer(stop);
  start();
  watch(folder);
  const { Client } = await import('pg');
  const host = encodeURIComponent(folder);
  let made = 0;
  const owned = scope.move();
  return {
    folder,
    async makeDatabase() {
      // A user's schema is where his tables are; it takes a tenth of the time of a database.
      const user = `user_${++made}`;
      const client = new Client({ connectionString: `postgres://strake@${host}/postgres` });
      await client.connect();
      await client.query(`CREATE ROLE ${user} SUPERUSER LOGIN; CREATE SCHEMA ${user}`);
      await client.end();
      return `postgres://${user}@${host}/postgres`;
    },
    stop,
    start,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Ends the server and removes its folder when this process ends without having done so. */
function watch(folder: string): void {
  const script = 'cat; [ -e "$0" ] || exit; kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -rf "$0"';
  const watcher = spawn('sh', ['-c', script, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watcher.unref();
  if (watcher.stdin instanceof Socket) watcher.stdin.unref();
}

/** PostgreSQL and what belongs to it refuse to run as root. */
export function owner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string) => Number(spawnSync('id', [option, 'postgres'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}
