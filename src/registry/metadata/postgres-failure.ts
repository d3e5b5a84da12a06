import { Failure, messageOf } from '../../lib/error.ts';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const FULL = new Set(['53100', '53200', '53400']);
/** Another transaction was in the way. */
const CONTENTION = new Set(['40001', '40P01']);
/**
 * A row is there already, or the one that it refers to is gone: a transaction may be told so before it is told that another one was
 * faster.
 */
const CONSTRAINT = new Set(['23505', '23503']);
/** The server ends, or has become one that only reads: the next connection may lead to another one. */
const LEAVING = new Set(['57P01', '57P02', '57P03', '25006', '25P03']);

/** What is told when the server asks for a password and there is none. */
export const ASKS_FOR_PASSWORD = 'it asks for a password';

/** Whether the same transaction may succeed when it is done again. */
export function isContention(error: unknown): boolean {
  const state = stateOf(error) ?? '';
  return CONTENTION.has(state) || CONSTRAINT.has(state);
}

/** Whether the connection that gave this error is of no use any more. Whether what was sent has been done is not known. */
export function isLost(error: unknown): boolean {
  const state = stateOf(error);
  return state === undefined || state.startsWith('08') || LEAVING.has(state);
}

/** What went wrong in a database, for who asked the store. `place`: its name without secrets, which only the operator reads. */
export function postgresFailure(error: unknown, place: string): Failure {
  const state = stateOf(error) ?? '';
  const cause = { cause: error };
  if (FULL.has(state))
    return new Failure('exhausted', 'DISK_FULL', `the database has no room: ${messageOf(error)}`, cause);
  if (CONTENTION.has(state))
    return new Failure('unavailable', 'METADATA_BUSY', `too many changes at once in ${place}: try again`, cause);
  if (isLost(error) || /^(28|3D|53|57)/.test(state)) {
    const isPassword = state === '28P01' || messageOf(error) === ASKS_FOR_PASSWORD;
    return new Failure('unavailable', 'METADATA_UNAVAILABLE', `cannot use ${place}: ${reasonOf(error)}`, {
      ...cause,
      ...(isPassword && { hint: 'PGPASSWORD has the password, or the file PGPASSFILE (~/.pgpass) a line with it' }),
    });
  }
  return new Failure('internal', 'METADATA_FAILED', `the database refused a statement: ${messageOf(error)}`, cause);
}

/** Of what the server says; what the connection says has none. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Trying several addresses of one name fails with one error for each and no text. */
function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : messageOf(error);
}
