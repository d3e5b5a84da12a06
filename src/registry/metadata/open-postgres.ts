import type { ClientConfig, Pool, PoolClient } from 'pg';
import { Failure, isFailure, messageOf } from '../../lib/error.ts';
import { withoutPassword } from '../../lib/url-password.ts';
import type { MetadataStore } from '../metadata-store.ts';
import { postgresAddress } from './postgres-address.ts';
import { type PostgresAccess, postgresDatabase } from './postgres-database.ts';
import { postgresSchema } from './postgres-dialect.ts';
import { ASKS_FOR_PASSWORD, postgresFailure } from './postgres-failure.ts';
import { type PostgresLogin, passwordOf } from './postgres-password.ts';

import { STEPS } from './schema.ts';
import { metadataStore } from './store.ts';

/** Connections of one node. A transaction has one to itself while it lasts; who finds none waits. */
const CONNECTIONS = 10;
/** Milliseconds after which a database counts as one that does not answer. */
const CONNECTING = 10_000;
const ANSWERING = 30_000;
/** Object identifier of the type `bigint`. */
const BIGINT = 20;
/** What the library says of a server without TLS, and a pooler of what it does not know. */
const NO_TLS = /does not support SSL/;
const REFUSED_SETTINGS = /unsupported startup parameter/;
/** Names the lock under which the tables are made; any number that others do not use. */
const LOCK = 7_233_061_845;

/**
 * What connections ask for. Who reads by an index is in the way of fewer others than who reads a whole table, however small that is; plans
 * that are made to look dear so would also be compiled, which costs half a second. What a node that died has locked is free again soon.
 */
const SETTINGS = {
  enable_seqscan: 'off',
  jit: 'off',
  statement_timeout: String(ANSWERING),
  idle_in_transaction_session_timeout: String(ANSWERING),
};

/**
 * Opens the metadata that many nodes share: a database of PostgreSQL at `postgres://USER@HOST:PORT/DATABASE`, with what every client of it
 * takes from the environment (`PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, ...). Makes its tables when they are not there. Throws `unavailable`
 * METADATA_UNAVAILABLE, and `unsupported` STORE_TOO_NEW when a later version of Strake has changed the tables.
 */
export async function openPostgresMetadata(url: string): Promise<MetadataStore> {
  const place = withoutPassword(url).url;
  let access: PostgresAccess;
  try {
    access = await openAccess(url);
  } catch (error) {
    throw isFailure(error) ? error : postgresFailure(error, place);
  }
  try {
    await migrate(access.pool, place);
  } catch (error) {
    await access.pool.end();
    throw isFailure(error) ? error : postgresFailure(error, place);
  }
  return metadataStore(postgresDatabase(access, place));
}

/** Connections that are made when they are needed. A first one tells what the server can do, and what stands before it. */
export async function openAccess(url: string): Promise<PostgresAccess> {
  const { Pool, types } = await import('pg');
  const { isTlsOptional, ...address } = postgresAddress(url, process.env);
  const { config, keepsSettings } = await look(isTlsOptional, {
    ...address,
    password: address.password ?? process.env['PGPASSWORD'] ?? findPassword,
    application_name: 'strake registry',
    keepAlive: true,
    connectionTimeoutMillis: CONNECTING,
    options: Object.entries(SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: { getTypeParser: (type, format) => (type === BIGINT ? Number : types.getTypeParser(type, format)) },
  });
  const pool = new Pool({ ...config, max: CONNECTIONS, pipeline: true, query_timeout: ANSWERING + CONNECTING });
  // A connection that breaks tells whoever uses it by the failure of his query; the pool opens others.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const settings = Object.entries(SETTINGS).map(([name, value]) => `SET LOCAL ${name} = ${value}`);
  return { pool, settings: keepsSettings ? undefined : settings };
}

interface Look {
  readonly config: ClientConfig;
  /** False: what a connection was told does not count for the next transaction, as between a pooler and its server. */
  readonly keepsSettings: boolean;
}

async function look(isTlsOptional: boolean, config: ClientConfig): Promise<Look> {
  const { Client } = await import('pg');
  const client = new Client(config);
  client.on('error', () => {}); // whoever waits is told
  try {
    await client.connect();
    const { rows }: { rows: { enable_seqscan: string }[] } = await client.query('SHOW enable_seqscan');
    return { config, keepsSettings: rows[0]?.enable_seqscan === SETTINGS.enable_seqscan };
  } catch (error) {
    const words = messageOf(error);
    if (isTlsOptional && config.ssl && NO_TLS.test(words)) return await look(false, { ...config, ssl: false });
    const { options, ...others } = config;
    if (options === undefined || !REFUSED_SETTINGS.test(words)) throw error;
    return await look(isTlsOptional, others);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Called with the login by the library (of which its types do not know), when the server asks and nobody has said it. */
function findPassword(login?: PostgresLogin): string {
  const password = login && passwordOf(login, process.env);
  if (password === undefined) throw new Error(ASKS_FOR_PASSWORD);
  return password;
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
