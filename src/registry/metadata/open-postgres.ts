import type { Pool, PoolClient } from 'pg';
import { Failure, isFailure } from '../../lib/error.ts';
import { withoutPassword } from '../../lib/url-password.ts';
import type { MetadataStore } from '../metadata-store.ts';
import { postgresDatabase } from './postgres-database.ts';
import { postgresSchema } from './postgres-dialect.ts';
import { postgresFailure } from './postgres-failure.ts';
import { STEPS } from './schema.ts';
import { metadataStore } from './store.ts';

/** Connections of one node. A transaction has one to itself while it lasts; who finds none waits. */
const CONNECTIONS = 10;
/** Milliseconds after which a database counts as one that does not answer. */
const CONNECTING = 10_000;
const ANSWERING = 30_000;
/** Object identifier of the type `bigint`. */
const BIGINT = 20;
/** Names the lock under which the tables are made; any number that others do not use. */
const LOCK = 7_233_061_845;

/**
 * Opens the metadata that many nodes share: a database of PostgreSQL at `postgres://USER@HOST:PORT/DATABASE`, with what every client of it
 * takes from the environment (`PGPASSWORD`, `PGPASSFILE`, ...). Makes its tables when they are not there. Throws `unavailable`
 * METADATA_UNAVAILABLE, and `unsupported` STORE_TOO_NEW when a later version of Strake has changed the tables.
 */
export async function openPostgresMetadata(url: string): Promise<MetadataStore> {
  const place = withoutPassword(url).url;
  const pool = await openPool(url);
  try {
    await migrate(pool, place);
  } catch (error) {
    await pool.end();
    throw isFailure(error) ? error : postgresFailure(error, place);
  }
  return metadataStore(postgresDatabase(pool, place));
}

/** Connections that are made when they are needed. */
export async function openPool(url: string): Promise<Pool> {
  const { Pool, types } = await import('pg');
  const pool = new Pool({
    connectionString: url,
    application_name: 'strake registry',
    max: CONNECTIONS,
    pipeline: true,
    keepAlive: true,
    connectionTimeoutMillis: CONNECTING,
    statement_timeout: ANSWERING,
    query_timeout: ANSWERING + CONNECTING,
    // What a node that died has locked is free again soon.
    idle_in_transaction_session_timeout: ANSWERING,
    // Who reads by an index is in the way of fewer others than who reads a whole table, however small that is. Plans that are made
    // to look dear so would also be compiled, which costs half a second.
    options: '-c enable_seqscan=off -c jit=off',
    types: { getTypeParser: (type, format) => (type === BIGINT ? Number : types.getTypeParser(type, format)) },
  });
  // A connection that breaks tells whoever uses it by the failure of his query; the pool opens others.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** One node at a time: all others wait, and find the tables made. */
async function migrate(pool: Pool, place: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    await requireUnicode(client, place);
    await client.query('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)');
    const found: { rows: { version: number }[] } = await client.query('SELECT version FROM schema_version');
    const version = found.rows[0]?.version ?? 0;
    if (version > STEPS.length)
      throw new Failure(
        'unsupported',
        'STORE_TOO_NEW',
        `${place} has format ${version}, this Strake knows ${STEPS.length}`,
        { hint: 'use the version of Strake that wrote it, or another database' },
      );
    for (const step of STEPS.slice(version)) await client.query(postgresSchema(step));
    await client.query(
      version === 0
        ? `INSERT INTO schema_version VALUES (${STEPS.length})`
        : `UPDATE schema_version SET version = ${STEPS.length}`,
    );
    await client.query('COMMIT');
  } finally {
    client.release(true);
  }
}

async function requireUnicode(client: PoolClient, place: string): Promise<void> {
  const { rows }: { rows: { encoding: string }[] } = await client.query('SELECT getdatabaseencoding() AS encoding');
  const encoding = rows[0]?.encoding;
  if (encoding === 'UTF8') return;
  throw new Failure('unsupported', 'METADATA_ENCODING', `${place} keeps text as ${encoding}, not as UTF8`, {
    hint: 'make one with createdb --encoding UTF8 --template template0',
  });
}
