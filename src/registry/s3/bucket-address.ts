import { Failure } from '../../lib/error.ts';
import type { BucketPlace } from '../../wire/registry-options.ts';

/** Where requests about a bucket go. */
export interface BucketAddress {
  readonly url: URL;
  readonly region: string;
  /** Before the name of an object: `/bucket/prefix/`, or `/prefix/` where the bucket is part of the host's name. */
  readonly path: string;
  /** Before the names of objects, as lists of them need it: empty, or with a slash at its end. */
  readonly prefix: string;
  /** For messages: `bucket "b" at https://...`. */
  readonly name: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * An endpoint of its own gets the bucket in the path, which every store knows. At Amazon it is in the host's name, where new
 * buckets need it, unless it has a dot, for which no certificate would hold.
 */
export function bucketAddress(place: BucketPlace, env: Environment): BucketAddress {
  const { bucket, prefix } = place;
  const region = place.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const own = place.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  const endpoint = own ?? `https://s3.${region}.amazonaws.com`;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Failure(
      'invalid',
      'S3_ENDPOINT',
      `invalid endpoint "${endpoint}": expected http://HOST[:PORT] or https://…`,
    );
  const inHost = own === undefined && !bucket.includes('.');
  const base = url.pathname.replace(/\/$/, '');
  const folder = prefix === '' ? '' : `${prefix}/`;
  if (inHost) url.hostname = `${bucket}.${url.hostname}`;
  return {
    url,
    region,
    path: inHost ? `/${folder}` : `${base}/${bucket}/${folder}`,
    prefix: folder,
    name: `bucket "${bucket}" at ${endpoint}`,
  };
}
