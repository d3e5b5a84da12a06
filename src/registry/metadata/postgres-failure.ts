import { Failure, messageOf, systemCode } from '../../lib/error.ts';

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

/** Whether the same transaction may succeed when it is done again. */
export function isContention(error: unknown): boolean {
  const code = systemCode(error) ?? '';
  return CONTENTION.has(code) || CONSTRAINT.has(code);
}

/** Whether the connection that gave this error is of no use any more. Whether what was sent has been done is not known. */
export function isLost(error: unknown): boolean {
  const code = systemCode(error);
  // What the server itself says has five letters; everything else comes from the connection.
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || code.startsWith('08') || LEAVING.has(code);
}

/** What went wrong in a database, for who asked the store. `place`: its name without secrets. */
export function postgresFailure(error: unknown, place: string): Failure {
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (FULL.has(code)) return new Failure('exhausted', 'DISK_FULL', `${place} has no room: ${messageOf(error)}`, cause);
  if (CONTENTION.has(code))
    return new Failure('unavailable', 'METADATA_BUSY', `too many changes at once in ${place}: try again`, cause);
  if (isLost(error) || /^(28|3D|53|57)/.test(code))
    return new Failure('unavailable', 'METADATA_UNAVAILABLE', `cannot use ${place}: ${reasonOf(error)}`, cause);
  return new Failure('internal', 'METADATA_FAILED', `${place} refused a statement: ${messageOf(error)}`, cause);
}

/** Trying several addresses of one name fails with one error for each and no text. */
function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : messageOf(error);
}
