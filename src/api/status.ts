import { type ErrorKind, isFailure, messageOf } from '../lib/error.ts';
import type { ErrorBody } from '../wire/system.ts';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  'not-found': 404,
  exists: 409,
  conflict: 409,
  unauthenticated: 401,
  denied: 403,
  unsupported: 501,
  exhausted: 507,
  unavailable: 503,
  cancelled: 503,
  'data-loss': 500,
  internal: 500,
};

/** Failures whose status says more than their kind. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  CONTEXT_NOT_VISIBLE: 412,
  FILE_NOT_VISIBLE: 412,
  BODY_TOO_LARGE: 413,
};

/** HTTP status of anything that was thrown. */
export function statusOf(error: unknown): number {
  return isFailure(error) ? (STATUS_OF_CODE[error.code] ?? STATUS[error.kind]) : 500;
}

/** Body of the error answer. */
export function errorBody(error: unknown): ErrorBody {
  if (!isFailure(error)) return { message: messageOf(error) };
  const { message, code, hint, source } = error;
  return { message, code, ...(hint === undefined ? {} : { hint }), ...(source ? { source } : {}) };
}
