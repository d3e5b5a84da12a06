import { getSystemErrorMessage } from 'node:util';
import { printable } from './printable.ts';

/** The closed set of reasons for which Strake refuses or fails. The doors (api, registry, cli) map kinds to codes. */
export type ErrorKind =
  | 'invalid' // the request or its input is wrong
  | 'not-found'
  | 'exists'
  | 'conflict' // right request, wrong moment: in use, running, locked
  | 'unauthenticated'
  | 'denied'
  | 'unsupported' // valid, but this host or build of Strake cannot do it
  | 'exhausted' // disk, quota, limit
  | 'unavailable' // a registry, a runtime, a program is missing or does not answer
  | 'cancelled'
  | 'data-loss' // stored or received bytes are not what their digest says
  | 'internal';

export interface FailureDetail {
  /** What the person can do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Place in a Dockerfile, when there is one. Lines and columns count from 1. */
  readonly source?: SourceRange;
  /** Exit code of the program that failed, for a failed RUN. */
  readonly exitCode?: number;
}

export interface SourceRange {
  readonly file: string;
  readonly line: number;
  readonly endLine: number;
  readonly column?: number;
  /** These lines with their numbers, for people. */
  readonly excerpt?: string;
}

/**
 * The one error class of Strake. `message` is lower case, says what was refused and why, names the offending
 * value, and never contains a secret or a control character.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: ErrorKind;
  /** Stable name in UPPER_SNAKE_CASE, for programs and docs. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly source: SourceRange | undefined;
  readonly exitCode: number | undefined;

  constructor(kind: ErrorKind, code: string, message: string, detail: FailureDetail = {}) {
    super(printable(message), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.kind = kind;
    this.code = code;
    this.hint = detail.hint;
    this.source = detail.source;
    this.exitCode = detail.exitCode;
  }

  /** The same failure with its place. */
  at(source: SourceRange): Failure {
    const { hint, exitCode } = this;
    return new Failure(this.kind, this.code, this.message, {
      source,
      cause: this,
      ...(hint === undefined ? {} : { hint }),
      ...(exitCode === undefined ? {} : { exitCode }),
    });
  }
}

/** True when `error` is a Failure, of one of `kinds` when any is given. */
export function isFailure(error: unknown, ...kinds: ErrorKind[]): error is Failure {
  return error instanceof Failure && (kinds.length === 0 || kinds.includes(error.kind));
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`, ...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return undefined;
}

/** What the kernel says in a Node system error, without call and path: `no such device`. Other errors: their text. */
export function systemReason(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'errno' in error && typeof error.errno === 'number')
    return getSystemErrorMessage(error.errno) ?? messageOf(error);
  return messageOf(error);
}

/** The reason of an aborted signal as a Failure of kind `cancelled`. */
export function cancelled(signal: AbortSignal): Failure {
  if (isFailure(signal.reason)) return signal.reason;
  return new Failure('cancelled', 'CANCELLED', 'the operation was cancelled', { cause: signal.reason });
}
