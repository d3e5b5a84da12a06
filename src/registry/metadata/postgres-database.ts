import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { postgresStatement } from './postgres-dialect.ts';
import { isContention, isLost, postgresFailure } from './postgres-failure.ts';
import type { MetadataDatabase, Nature, Query, Step, Value, Work } from './work.ts';

/** How often something is done at most that others are in the way of, and the pauses between, which grow. Milliseconds. */
const ATTEMPTS = 20;
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 500;
/** For how long a server that does not answer is tried again: as long as one that restarts or fails over may take. Milliseconds. */
const PATIENCE = 5_000;

/** Connections to a database. */
export interface PostgresAccess {
  readonly pool: Pool;
  /**
   * Statements that each transaction begins with, because the next one may come by another connection, where nothing is that an earlier
   * one left there; undefined: a connection keeps its settings and its prepared statements.
   */
  readonly settings: readonly string[] | undefined;
}

/**
 * Does the store's work in PostgreSQL. Statements that nobody waits for go out with the next one, or with the commit. A transaction
 * that another one was in the way of is done again; so is, for some seconds, one whose connection broke before its commit was sent. When it
 * breaks after that, the transaction may have happened: it is done again if it `repeats`, else who asked is told that it failed. `place`:
 * what messages call the database.
 */
export function postgresDatabase(access: PostgresAccess, place: string): MetadataDatabase & AsyncDisposable {
  const { pool } = access;
  const transaction = <T>(work: () => Work<T>, nature?: Nature) =>
    repeated(place, () => transact(access, work(), nature === 'repeats'));
  const rows = <Row>(query: Query<Row>) =>
    repeated(place, async (): Promise<Row[]> => {
      try {
        return (await pool.query(prepared(query, access))).rows;
      } catch (error) {
        throw new Interruption(error, true);
      }
    });
  return {
    rows,
    first: async (query) => (await rows(query))[0],
    transaction,
    durable: transaction,
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** What the database says against something, and not the work itself. `mayRepeat`: nothing has happened, or it may happen twice. */
class Interruption extends Error {
  readonly mayRepeat: boolean;

  constructor(cause: unknown, mayRepeat: boolean) {
    super('interrupted', { cause });
    this.mayRepeat = mayRepeat;
  }
}

async function repeated<T>(place: string, attempt: () => Promise<T>): Promise<T> {
  const start = performance.now();
  for (let round = 1; ; round++)
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      const { cause, mayRepeat } = error;
      const isPatient = performance.now() - start < PATIENCE;
      const again = isContention(cause) ? round < ATTEMPTS : isLost(cause) && mayRepeat && isPatient;
      if (!again) throw postgresFailure(cause, place);
      await sleep(Math.random() * Math.min(FIRST_PAUSE * 2 ** round, LONGEST_PAUSE));
    }
}

async function transact<T>(access: PostgresAccess, work: Work<T>, mayHappenTwice: boolean): Promise<T> {
  const { pool, settings = [] } = access;
  const client = await connected(pool);
  const sent: Promise<QueryResult>[] = [];
  // The first one is the reason; what follows only says that the transaction is over.
  let interruption: Interruption | undefined;
  let isCommitting = false;
  const send = (statement: string | QueryConfig) => {
    const answer = client.query(statement);
    answer.catch((error) => {
      interruption ??= new Interruption(error, mayHappenTwice || !isCommitting);
    });
    sent.push(answer);
    return answer;
  };
  try {
    const begun = send(['BEGIN ISOLATION LEVEL SERIALIZABLE', ...settings].join('; '));
    let step = work.next([]);
    // Without a transaction a change would stay.
    if (step.done !== true && !isReading(step.value)) await begun;
    while (step.done !== true) {
      const { queries, isAwaited } = step.value;
      const answers = queries.map((query) => send(prepared(query, access)));
      step = work.next(isAwaited ? (await Promise.all(answers)).map(({ rows }) => rows) : []);
    }
    isCommitting = true;
    send('COMMIT');
    await Promise.all(sent);
    client.release();
    return step.value;
  } catch (error) {
    const isUsable = (await rollBack(client)) && !(interruption && isLost(interruption.cause));
    client.release(!isUsable);
    throw interruption ?? error;
  }
}

async function connected(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw new Interruption(error, true);
  }
}

async function rollBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function isReading({ queries, isAwaited }: Step): boolean {
  return isAwaited && queries.every(({ sql }) => sql.startsWith('SELECT'));
}

const statements = new Map<string, { readonly name: string; readonly text: string }>();

/** A statement that each connection parses once, where it can. */
function prepared({ sql, values }: Query<unknown>, { settings }: PostgresAccess): QueryConfig {
  let statement = statements.get(sql);
  if (!statement) {
    statement = { name: `s${statements.size}`, text: postgresStatement(sql) };
    statements.set(sql, statement);
  }
  const { name, text } = statement;
  return { text, values: values.map(storable), ...(settings === undefined && { name }) };
}

/** Text of PostgreSQL holds no NUL; what has one came from a client and means nothing here. */
function storable(value: Value): Value {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}
