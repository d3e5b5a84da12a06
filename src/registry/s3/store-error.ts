import { Failure, isFailure, messageOf } from '../../lib/error.ts';
import { textOf } from './answers.ts';

/** An answer of the object store that is none of those that were expected. */
export class StoreError extends Error {
  readonly status: number;
  /** Of the store's own words: `NoSuchKey`. Empty when it said none. */
  readonly code: string;
  /** Where the bucket is, when the store says so. */
  readonly region: string | undefined;

  constructor(status: number, body: string, headers: Readonly<Record<string, unknown>> = {}) {
    const code = textOf(body, 'Code') ?? '';
    super(
      [`status ${status}`, code, textOf(body, 'Message') ?? '']
        .filter((word) => word !== '')
        .join(' ')
        .slice(0, 500),
    );
    this.status = status;
    this.code = code;
    const region = headers['x-amz-bucket-region'] ?? textOf(body, 'Region');
    this.region = typeof region === 'string' ? region : undefined;
  }
}

const PASSING = ['RequestTimeout', 'SlowDown', 'InternalError', 'OperationAborted', 'ServiceUnavailable'];

/** Whether the same request may well succeed in a moment: too many requests, a fault of the store, a connection that broke. */
export function isPassing(error: unknown): boolean {
  if (isFailure(error)) return false;
  if (!(error instanceof StoreError)) return true;
  return (
    error.status === 429 ||
    (error.status >= 500 && error.status !== 501 && error.status !== 507) ||
    PASSING.includes(error.code)
  );
}

/** What is told of an error. `place` as in `bucket "b" at https://...`. */
export function storeFailure(error: unknown, place: string): Failure {
  if (isFailure(error)) return error;
  const cause = { cause: error };
  if (!(error instanceof StoreError))
    return new Failure('unavailable', 'S3_UNREACHABLE', `cannot reach ${place}: ${reasonOf(error)}`, {
      ...cause,
      hint: 'check --s3-endpoint, and the network between here and there',
    });
  const { code, status, region } = error;
  if (status === 507 || code === 'QuotaExceeded')
    return new Failure('exhausted', 'S3_FULL', `no space left in ${place}`, cause);
  if (code === 'NoSuchBucket' || (status === 404 && code === ''))
    return new Failure('unavailable', 'S3_NO_BUCKET', `there is no ${place}`, {
      ...cause,
      hint: 'make the bucket first, or correct --blobs and --s3-endpoint',
    });
  if (region !== undefined && [301, 307, 400].includes(status))
    return new Failure('unavailable', 'S3_REGION', `the ${place} is in the region ${region}`, {
      ...cause,
      hint: `add --s3-region ${region}`,
    });
  if (code === 'RequestTimeTooSkewed')
    return new Failure('unavailable', 'S3_CLOCK', `the clocks of this machine and of ${place} differ too much`, {
      ...cause,
      hint: 'set the clock of this machine right',
    });
  if (status === 403)
    return new Failure('unavailable', 'S3_DENIED', `the credentials do not hold for ${place}: ${error.message}`, {
      ...cause,
      hint: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the shared credentials file, say who asks; it must be allowed to list, read, write and delete there',
    });
  return new Failure('unavailable', 'S3_FAILED', `${place}: ${error.message}`, cause);
}

/** Several addresses of one host that do not answer come as one error without words. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
