/** What both databases store as a column's value. Text without NUL; numbers are whole. */
export type Value = string | number | Uint8Array | null;

/**
 * One statement in the SQL that SQLite and PostgreSQL share; `?` and `?1` stand for values. `Row` is what it selects or returns: the
 * columns' types vouch for it.
 */
export interface Query<Row> {
  readonly sql: string;
  readonly values: readonly Value[];
  /** Never there: it ties the type to the query. */
  readonly row?: Row;
}

/** Statements that may be sent together. Of those that nobody waits for only a failure counts, which ends the transaction. */
export interface Step {
  readonly queries: readonly Query<unknown>[];
  readonly isAwaited: boolean;
}

/**
 * What is done in one transaction, whatever database does it: it yields statements and is given their rows. It may be done again from
 * the start when another transaction was in its way, so it changes nothing but the database.
 */
export type Work<T> = Generator<Step, T, readonly (readonly unknown[])[]>;

/**
 * What work may be done with: `frees` gives space back, so it gets some on a full disk; `repeats` comes to the same when it is done twice,
 * so it is done again when nobody knows whether it was.
 */
export type Nature = 'frees' | 'repeats';

/** What the store asks of its database. */
export interface MetadataDatabase {
  /** One statement, in a transaction of its own. It may be done twice. */
  rows<Row>(query: Query<Row>): Promise<Row[]>;
  /** Its first row. */
  first<Row>(query: Query<Row>): Promise<Row | undefined>;
  /** All or nothing, with an effect as if nothing else went on meanwhile. */
  transaction<T>(work: () => Work<T>, nature?: Nature): Promise<T>;
  /** As `transaction`, and what it changed is on disk. */
  durable<T>(work: () => Work<T>, nature?: Nature): Promise<T>;
}

export function query<Row>(sql: string, ...values: Value[]): Query<Row> {
  return { sql, values };
}

/** All rows of one query. */
export function* rows<Row>(sql: string, ...values: Value[]): Work<Row[]> {
  const [found] = yield { queries: [{ sql, values }], isAwaited: true };
  return found as Row[]; // see `Query`
}

/** The first row. */
export function* first<Row>(sql: string, ...values: Value[]): Work<Row | undefined> {
  return (yield* rows<Row>(sql, ...values))[0];
}

/** The rows of each of many queries: they take the time of one. */
export function* together<Row>(queries: readonly Query<Row>[]): Work<Row[][]> {
  if (queries.length === 0) return [];
  return (yield { queries, isAwaited: true }) as Row[][]; // see `Query`
}

/** Changes something without waiting for it. */
export function* change(sql: string, ...values: Value[]): Work<void> {
  yield { queries: [{ sql, values }], isAwaited: false };
}
