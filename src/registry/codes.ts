import { type ErrorKind, Failure } from '../lib/error.ts';

/**
 * Every reason for which the registry refuses a request, with its HTTP status and the words that clients know.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 */
const CODES = {
  BLOB_UNKNOWN: ['not-found', 404, 'blob unknown to registry'],
  BLOB_UPLOAD_INVALID: ['invalid', 400, 'blob upload invalid'],
  BLOB_UPLOAD_UNKNOWN: ['not-found', 404, 'blob upload unknown to registry'],
  DIGEST_INVALID: ['invalid', 400, 'provided digest did not match uploaded content'],
  MANIFEST_BLOB_UNKNOWN: ['not-found', 404, 'blob unknown to registry'],
  MANIFEST_INVALID: ['invalid', 400, 'manifest invalid'],
  MANIFEST_UNKNOWN: ['not-found', 404, 'manifest unknown'],
  NAME_INVALID: ['invalid', 400, 'invalid repository name'],
  NAME_UNKNOWN: ['not-found', 404, 'repository name not known to registry'],
  PAGINATION_NUMBER_INVALID: ['invalid', 400, 'invalid number of results requested'],
  RANGE_INVALID: ['invalid', 416, 'invalid content range'],
  SIZE_INVALID: ['invalid', 400, 'provided length did not match content length'],
  TAG_INVALID: ['invalid', 400, 'manifest tag did not match URI'],
  UNAUTHORIZED: ['unauthenticated', 401, 'authentication required'],
  DENIED: ['denied', 403, 'requested access to the resource is denied'],
  UNSUPPORTED: ['unsupported', 405, 'The operation is unsupported.'],
  TOOMANYREQUESTS: ['exhausted', 429, 'too many requests'],
  UNAVAILABLE: ['unavailable', 503, 'service unavailable'],
  UNKNOWN: ['internal', 500, 'unknown error'],
} as const satisfies Readonly<Record<string, readonly [ErrorKind, number, string]>>;

export type RefusalCode = keyof typeof CODES;

export interface RefusalOptions {
  /** What was wrong with this request, in words of its own; otherwise the ones that every client knows. */
  readonly message?: string;
  /** Names of what the message speaks of, for programs. */
  readonly detail?: unknown;
  /** When the situation has a status that its code usually has not. */
  readonly status?: number;
  /** Of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that the registry does not do, in the form in which it tells clients. */
export class Refusal extends Failure {
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RefusalCode, options: RefusalOptions = {}) {
    const [kind, status, words] = CODES[code];
    super(kind, code, options.message ?? words);
    this.status = options.status ?? status;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

export function fixedTag(tag: string): Refusal {
  return new Refusal('DENIED', { message: `tag "${tag}" is immutable: it can neither be changed nor deleted` });
}
