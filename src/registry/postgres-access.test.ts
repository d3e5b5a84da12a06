/** How the metadata's database is reached: by TLS, with a password of a file, through a pooler whose connections keep nothing. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { Scope } from '../lib/scope.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { openAccess, openPostgresMetadata } from './metadata/open-postgres.ts';
import { postgresAddress } from './metadata/postgres-address.ts';
import { passwordOf } from './metadata/postgres-password.ts';
import { NO_POSTGRES, owner, startPostgres, type TestPostgres } from './test-postgres.ts';
import { openTestRegistry, type TestRequest, useDatabases } from './test-registry.ts';

const POOLER = '/usr/sbin/pgbouncer';
const scope = new Scope();
const folder = scope.use(makeScratchFolder(tmpdir(), 'strake-access')).path;
const file = (name: string) => join(folder, name);

const LINES = `# comment:*:*:*:no
db.example.com:5432:registry:strake:first
db.example.com:*:registry:strake:any port
localhost:*:*:odd\\:name:with\\:colon\\\\
localhost:*:*:*:here
*:*:*:*:last
`;
const login = { host: 'db.example.com', port: 5432, database: 'registry', user: 'strake' };
const logins = [
  ['as it stands', login, 'first'],
  ['any port', { ...login, port: 6432 }, 'any port'],
  ['a name with a colon', { ...login, host: 'localhost', user: 'odd:name' }, 'with:colon\\'],
  ['a socket', { ...login, host: '/run/postgresql' }, 'here'],
  ['anything', { ...login, host: 'x' }, 'last'],
] as const;

for (const [name, wanted, password] of logins)
  test(`a line of the file of passwords: ${name}`, () => {
    writeFileSync(file('passwords'), LINES, { mode: 0o600 });
    assert.equal(passwordOf(wanted, { PGPASSFILE: file('passwords') }), password);
  });

test('a file of passwords that is not there has none, one that others may read is refused', () => {
  assert.equal(passwordOf(login, { HOME: folder }), undefined);
  writeFileSync(file('.pgpass'), LINES);
  chmodSync(file('.pgpass'), 0o644);
  assert.throws(() => passwordOf(login, { HOME: folder }), { hint: `chmod 600 ${file('.pgpass')}` });
});

test('the parts of a URL, encoded or in words', () => {
  const { host, port, user, password, database } = postgresAddress(
    'postgresql://a%40b:c%3ad@%2Frun%2Fpg:6432/d%20e',
    {},
  );
  assert.deepEqual([host, port, user, password, database], ['/run/pg', 6432, 'a@b', 'c:d', 'd e']);
  const words = postgresAddress('postgres:///d?host=/run&port=1&user=me&password=%3a', {});
  assert.deepEqual([words.host, words.port, words.user, words.password, words.database], ['/run', 1, 'me', ':', 'd']);
  assert.deepEqual(postgresAddress('postgres://', {}).host, undefined);
});

const modes: readonly [string, Record<string, string>, unknown, boolean?][] = [
  ['', {}, [false, true]],
  ['?sslmode=disable', { PGSSLMODE: 'verify-full' }, 'none'],
  ['', { PGSSLMODE: 'require' }, [false, false]],
  ['?sslmode=require', { PGSSLROOTCERT: 'ca' }, [true, false]],
  ['?sslmode=verify-full', {}, [true, false]],
  ['?sslrootcert=system', {}, [true, false]],
  ['?host=/run/postgresql&sslmode=require', {}, 'none'],
];

for (const [query, env, expected] of modes)
  test(`TLS by "${query}" and ${JSON.stringify(env)}`, () => {
    writeFileSync(file('ca'), 'CA');
    const own = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value === 'ca' ? file('ca') : value]),
    );
    const { ssl, isTlsOptional } = postgresAddress(`postgres://me@h/d${query}`, { HOME: folder, ...own });
    assert.deepEqual(ssl === false ? 'none' : [ssl.rejectUnauthorized, isTlsOptional], expected);
  });

test('words of a URL that mean nothing are refused', () => {
  const wrong = (query: string) => () => postgresAddress(`postgres://h/d?${query}`, { HOME: folder });
  assert.throws(
    wrong('sslmode=no'),
    /invalid sslmode "no": expected disable, allow, prefer, require, verify-ca, verify-full/,
  );
  assert.throws(wrong('sslmode=verify-ca&sslrootcert=/none'), /cannot read \/none: .*no such file/);
  assert.throws(wrong('sslmod=require'), /unknown word "sslmod" in the URL/);
  assert.throws(() => postgresAddress('mysql://h/d', {}), /invalid URL of a database/);
  assert.throws(wrong('sslmode=require&sslrootcert=system'), /needs sslmode=verify-full/);
});

if (NO_POSTGRES) test('with a server', { skip: NO_POSTGRES }, () => {});
else {
  const server = scope.use(await startPostgres());
  testTls(server);
  if (!existsSync(POOLER)) test('through a pooler', { skip: 'needs pgbouncer' }, () => {});
  else {
    const address = await startPooler(server);
    // Made as users of the server; who asks the pooler is asked for a password.
    useDatabases(async () => (await server.makeDatabase()).replace(encodeURIComponent(server.folder), address));
    await import('./nodes.test.ts');
    await import('./limits.test.ts');
    testPooler(server, address);
  }
  testLostAnswers(server); // the last: its registry's database is no pooler's
}
after(() => scope[Symbol.asyncDispose]()); // behind what was imported

function testTls(server: TestPostgres): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  for (const name of ['own', 'other'])
    openssl(
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout'.split(' '),
      `${name}.key`,
      '-out',
      name,
      ...subject,
    );
  const rows: readonly [string, 'tls' | 'none', string, string | RegExp][] = [
    ['localhost', 'tls', '', 'tls'],
    ['localhost', 'none', '', 'plain'],
    ['127.0.0.1', 'tls', '?sslmode=require', 'tls'],
    ['127.0.0.1', 'none', '?sslmode=require', /The server does not support SSL connections/],
    ['127.0.0.1', 'tls', '?sslmode=require&sslrootcert=other', /self-signed|signature/],
    ['127.0.0.1', 'tls', '?sslmode=verify-ca&sslrootcert=own', 'tls'],
    ['127.0.0.1', 'tls', '?sslmode=verify-ca&sslrootcert=other', /self-signed|signature/],
    ['localhost', 'tls', '?sslmode=verify-full&sslrootcert=own', 'tls'],
    ['127.0.0.1', 'tls', '?sslmode=verify-full&sslrootcert=own', /does not match certificate/],
    ['localhost', 'tls', '?sslmode=verify-full', /self-signed/],
    ['localhost', 'tls', '?sslmode=disable', 'plain'],
  ];
  for (const [host, kind, query, expected] of rows)
    test(`${host}${query}, a server with ${kind === 'tls' ? 'TLS' : 'none'}`, async () => {
      const tls = kind === 'tls' ? { key: readFileSync(file('own.key')), cert: readFileSync(file('own')) } : undefined;
      await using door = await openDoor(server, tls);
      const { username } = new URL(await server.makeDatabase());
      const words = query.replace('sslrootcert=', `sslrootcert=${folder}/`);
      const opening = openPostgresMetadata(`postgres://${username}@${host}:${door.port}/postgres${words}`);
      if (typeof expected !== 'string')
        return await assert.rejects(opening, { kind: 'unavailable', message: expected });
      await using store = await opening;
      assert.deepEqual(await store.listRepositories({ last: '', limit: 1 }), []);
      assert.deepEqual([...new Set(door.seen)], [expected]);
    });
}

function testLostAnswers(server: TestPostgres): void {
  test('a commit whose answer is lost: a push does not notice', async () => {
    let answersToLose = 0;
    const sockets = new Set<Socket>();
    const door = createServer((socket) => {
      const inside = connect(join(server.folder, '.s.PGSQL.5432'));
      let isDeaf = false;
      for (const end of [socket, inside]) sockets.add(end.on('error', () => {}));
      socket.on('data', (bytes) => {
        if (answersToLose > 0 && bytes.includes('COMMIT')) {
          isDeaf = true;
          answersToLose--;
        }
        inside.write(bytes);
      });
      inside.on('data', (bytes) => {
        if (!isDeaf) socket.write(bytes);
        else if (bytes.includes('COMMIT')) socket.destroy(); // its tag: it has happened
      });
      socket.on('close', () => inside.end());
    });
    await new Promise<void>((resolve) => door.listen(file('.s.PGSQL.5432'), resolve));
    await using _ = {
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        door.close();
      },
    };
    const metadata = (await server.makeDatabase()).replace(
      encodeURIComponent(server.folder),
      encodeURIComponent(folder),
    );
    useDatabases(async () => metadata);
    await using registry = await openTestRegistry();
    const lost = async (status: number, method: string, path: string, options: TestRequest = {}) => {
      answersToLose = 1;
      const answer = await registry.send(method, path, options);
      assert.equal(answersToLose, 0, `${method} ${path} committed nothing`);
      assert.equal(answer.status, status, `${method} ${path}: ${answer.body}`);
      return answer;
    };
    const digestOf = (bytes: string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const place = (await lost(202, 'POST', '/v2/a/blobs/uploads/')).headers['location'] ?? '';
    await lost(202, 'PATCH', place, { body: 'some' });
    // The first commit is that of the claim.
    answersToLose = 2;
    assert.equal((await registry.send('PUT', `${place}?digest=${digestOf('some')}`)).status, 201);
    assert.equal(answersToLose, 0);
    await lost(201, 'POST', `/v2/b/blobs/uploads/?mount=${digestOf('some')}&from=a`);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const config = { mediaType: 'a/b', digest: digestOf('some'), size: 4 };
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [] });
    await lost(201, 'PUT', '/v2/a/manifests/1', { headers: { 'content-type': type }, body });
    await lost(200, 'GET', '/v2/a/tags/list');
    assert.equal((await registry.send('GET', '/v2/a/manifests/1')).body.toString(), body);
    assert.equal((await registry.send('GET', `/v2/b/blobs/${digestOf('some')}`)).body.toString(), 'some');
  });
}

/** A server's door with TLS, or without: what PostgreSQL itself would say there. */
async function openDoor(server: TestPostgres, tls: { readonly key: Buffer; readonly cert: Buffer } | undefined) {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const inside = () => connect(join(server.folder, '.s.PGSQL.5432'));
  const door = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      // https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
      const asksForTls = bytes.length === 8 && bytes.readInt32BE(4) === 80_877_103;
      if (!asksForTls) {
        seen.push('plain');
        socket.unshift(bytes);
        return passOn(socket, inside());
      }
      socket.write(tls ? 'S' : 'N');
      if (!tls) return;
      seen.push('tls');
      const inner = new TLSSocket(socket, { isServer: true, ...tls });
      inner.on('error', () => {});
      passOn(inner, inside());
    });
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  return {
    port: (door.address() as AddressInfo).port, // it listens on a port
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      door.close();
    },
  };
}

function passOn(one: Socket, other: Socket): void {
  one.pipe(other).on('error', () => one.destroy());
  other.pipe(one).on('error', () => other.destroy());
}

/** A pooler that gives a connection to the server for one transaction; the part of a URL that names it. */
async function startPooler(server: TestPostgres): Promise<string> {
  const users = Array.from({ length: 40 }, (_, at) => `"user_${at + 1}" "secret"\n`);
  mkdirSync(file('pooler'));
  writeFileSync(file('pooler/users'), users.join(''));
  const settings = [
    '[databases]',
    `* = host=${server.folder} port=5432`,
    '[pgbouncer]',
    `unix_socket_dir = ${file('pooler')}`,
    'listen_port = 6432',
    'listen_addr =',
    'auth_type = scram-sha-256',
    `auth_file = ${file('pooler/users')}`,
    'pool_mode = transaction',
    'default_pool_size = 3',
    'max_client_conn = 200',
    'server_idle_timeout = 1',
  ];
  writeFileSync(file('pooler/settings'), settings.join('\n'));
  const own = owner();
  if (own) {
    chmodSync(folder, 0o755);
    chownSync(file('pooler'), own.uid, own.gid);
  }
  const child = spawn(POOLER, [file('pooler/settings')], { stdio: 'ignore', ...own });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  scope.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  while (!existsSync(file('pooler/.s.PGSQL.6432'))) {
    assert.equal(child.exitCode, null, 'the pooler has ended');
    await sleep(10);
  }
  writeFileSync(file('secrets'), '*:*:*:*:secret\n', { mode: 0o600 });
  process.env['PGPASSFILE'] = file('secrets');
  return `${encodeURIComponent(file('pooler'))}:6432`;
}

function testPooler(server: TestPostgres, address: string): void {
  test('nothing is left at a connection to a pooler, and nothing is expected there', async () => {
    const url = (await server.makeDatabase()).replace(encodeURIComponent(server.folder), address);
    const { pool, settings } = await openAccess(url);
    assert.ok(settings?.includes('SET LOCAL jit = off'));
    await pool.end();
  });

  test('a password that is not there is told with the way out, and nothing is printed about it', async () => {
    const url = (await server.makeDatabase()).replace(encodeURIComponent(server.folder), address);
    const warnings: Error[] = [];
    process.on('warning', (warning) => warnings.push(warning));
    await (await openPostgresMetadata(url))[Symbol.asyncDispose]();
    const { PGPASSFILE } = process.env;
    process.env['PGPASSFILE'] = file('none');
    try {
      const message = /^cannot use postgres:.* it asks for a password$/;
      await assert.rejects(openPostgresMetadata(url), { code: 'METADATA_UNAVAILABLE', message, hint: /PGPASSFILE/ });
    } finally {
      process.env['PGPASSFILE'] = PGPASSFILE;
    }
    assert.deepEqual(warnings, []);
  });
}
