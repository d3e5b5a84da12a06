/** What the other tests of the registry say, with the metadata in PostgreSQL, and what goes wrong only there. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { openAccess, openPostgresMetadata } from './metadata/open-postgres.ts';
import { postgresDatabase } from './metadata/postgres-database.ts';
import { postgresSchema, postgresStatement } from './metadata/postgres-dialect.ts';
import { change, first, type MetadataDatabase, query, rows } from './metadata/work.ts';
import { parseRepositoryName, parseTag } from './names.ts';
import { NO_POSTGRES, startPostgres, type TestPostgres } from './test-postgres.ts';
import { openTestRegistry, useDatabases } from './test-registry.ts';

const repository = parseRepositoryName('a/b');
const tag = parseTag('latest');

if (NO_POSTGRES) test('a registry with its metadata in PostgreSQL', { skip: NO_POSTGRES }, () => {});
else {
  const server = await startPostgres();
  useDatabases(() => server.makeDatabase());
  await import('./collect.test.ts');
  await import('./limits.test.ts');
  await import('./nodes.test.ts');
  await import('./http/conformance.test.ts');
  testAlone(server);
  after(() => server[Symbol.asyncDispose]());
}

test('a statement of both databases as PostgreSQL numbers its values', () => {
  for (const [shared, own] of [
    ['SELECT 1', 'SELECT 1'],
    ['a = ? AND b > ? LIMIT ?', 'a = $1 AND b > $2 LIMIT $3'],
    ['SET a = ?3 WHERE b = ?1 AND c = ?2 AND d = ?1', 'SET a = $3 WHERE b = $1 AND c = $2 AND d = $1'],
    ['a = ?2 AND b = ?', 'a = $2 AND b = $3'],
  ] as const)
    assert.equal(postgresStatement(shared), own);
});

test('a table of both databases', () => {
  const shared = `CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT NOT NULL, c INTEGER, d BLOB, PRIMARY KEY (b)) STRICT, WITHOUT ROWID;
    CREATE TABLE b (id TEXT PRIMARY KEY) STRICT;`;
  const own = `CREATE TABLE a (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b TEXT COLLATE "C" NOT NULL, c BIGINT, d BYTEA, PRIMARY KEY (b));
    CREATE TABLE b (id TEXT COLLATE "C" PRIMARY KEY);`;
  assert.equal(postgresSchema(shared), own);
});

test('a server that is not there: the failure names it and keeps its password', async () => {
  await assert.rejects(openPostgresMetadata('postgres://me:secret@127.0.0.1:1/registry'), {
    kind: 'unavailable',
    message: 'cannot use postgres://me@127.0.0.1:1/registry: connect ECONNREFUSED 127.0.0.1:1',
  });
});

function testAlone(server: TestPostgres): void {
  test('many nodes that start at once make the tables once', async () => {
    const url = await server.makeDatabase();
    const stores = await Promise.all(Array.from({ length: 5 }, () => openPostgresMetadata(url)));
    for (const store of stores) assert.deepEqual(await store.listRepositories({ last: '', limit: 1 }), []);
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  });

  test('tables of a later version are left alone', async () => {
    const url = await server.makeDatabase();
    await (await openPostgresMetadata(url))[Symbol.asyncDispose]();
    await using opened = await openTables(url);
    await opened.pool.query('UPDATE schema_version SET version = 99');
    await assert.rejects(openPostgresMetadata(url), {
      code: 'STORE_TOO_NEW',
      message: /^postgres:.* has format 99, this Strake knows 1$/,
      hint: 'use the version of Strake that wrote it, or another database',
    });
  });

  test('a database that cannot hold every text is refused', async () => {
    const url = new URL(await server.makeDatabase());
    await using opened = await openTables(url.href);
    await opened.pool.query(
      "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc",
    );
    url.pathname = '/latin';
    await assert.rejects(openPostgresMetadata(url.href), /keeps text as LATIN1, not as UTF8/);
  });

  test('transactions that would not see each other are done again', async () => {
    await using opened = await openTables(await server.makeDatabase());
    const { database, pool } = opened;
    await pool.query('CREATE TABLE numbers (number BIGINT NOT NULL)');
    const take = () =>
      database.transaction(function* () {
        const found = yield* first<{ count: number }>('SELECT count(*) AS count FROM numbers');
        yield* change('INSERT INTO numbers (number) VALUES (?)', found?.count ?? -1);
        return found?.count;
      });
    const taken = await Promise.all(Array.from({ length: 8 }, take));
    assert.deepEqual(taken.sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.equal((await database.rows(query('SELECT DISTINCT number FROM numbers'))).length, 8);
  });

  test('what nobody waited for fails the transaction, for its own reason', async () => {
    await using opened = await openTables(await server.makeDatabase());
    const { database, pool } = opened;
    await pool.query('CREATE TABLE numbers (number BIGINT NOT NULL)');
    const insert = 'INSERT INTO numbers (number) VALUES (?)';
    const failing = database.transaction(function* () {
      yield* change(insert, 1);
      yield* change(insert, null);
      yield* change(insert, 2);
      return yield* rows('SELECT number FROM numbers');
    });
    await assert.rejects(failing, {
      kind: 'internal',
      message: /the database refused a statement: null value in column "number"/,
    });
    assert.deepEqual(await database.rows(query('SELECT number FROM numbers')), []);
    const refusing = database.transaction(function* () {
      yield* change(insert, 1);
      throw new Error('no');
    });
    await assert.rejects(refusing, /^Error: no$/);
    assert.deepEqual(await database.rows(query('SELECT number FROM numbers')), []);
  });

  test('a connection that breaks: before the commit the work is done again, after it nobody knows', async () => {
    await using opened = await openTables(await server.makeDatabase());
    const { database, pool } = opened;
    await pool.query(`CREATE TABLE numbers (number BIGINT NOT NULL);
      CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF new.number = 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER break AFTER INSERT ON numbers DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION break()`);
    let runs = 0;
    await database.transaction(function* () {
      yield* change('INSERT INTO numbers (number) VALUES (?)', 1);
      if (++runs === 1) yield* rows('SELECT pg_terminate_backend(pg_backend_pid())');
    });
    const late = database.transaction(function* () {
      runs++;
      yield* change('INSERT INTO numbers (number) VALUES (?)', 2);
    });
    await assert.rejects(late, { code: 'METADATA_UNAVAILABLE' });
    assert.equal(runs, 3);
    assert.deepEqual(await database.rows(query('SELECT number FROM numbers')), [{ number: 1 }]);
  });

  test('a server that restarts: requests wait for it; one that stays away: they are told so, and go on when it is back', async () => {
    await using registry = await openTestRegistry();
    const { send } = registry;
    const ask = () => [send('POST', '/v2/a/b/blobs/uploads/'), send('GET', '/v2/a/b/manifests/latest')] as const;
    const statuses = async (asked: ReturnType<typeof ask>) => (await Promise.all(asked)).map(({ status }) => status);
    assert.deepEqual(await statuses(ask()), [202, 404]);
    server.stop();
    const waiting = ask();
    await sleep(200);
    server.start();
    assert.deepEqual(await statuses(waiting), [202, 404]);
    server.stop();
    const find = registry.registry.metadata.findManifest(repository, tag);
    const refused = assert.rejects(find, { code: 'METADATA_UNAVAILABLE' });
    for (const { status, body } of await Promise.all(ask())) {
      assert.equal(status, 503);
      assert.doesNotMatch(body.toString(), /postgres/);
    }
    await refused;
    server.start();
    assert.deepEqual(await statuses(ask()), [202, 404]);
  });
}

interface Opened extends AsyncDisposable {
  readonly pool: Pool;
  readonly database: MetadataDatabase;
}

async function openTables(url: string): Promise<Opened> {
  const access = await openAccess(url);
  const database = postgresDatabase(access, url);
  return { pool: access.pool, database, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}
