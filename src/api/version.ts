import { Failure } from '../lib/error.ts';

/** Engine API versions are 1.NN; inside this room a version is the number NN. */
export const NEWEST_API = 51;
export const OLDEST_API = 24;

/** Takes the optional `/v1.NN` off a request path. Without it the newest version is meant. */
export function splitVersion(path: string): { version: number; path: string } {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(path);
  if (!match) return { version: NEWEST_API, path };
  const [, given = '', rest = '/'] = match;
  const [major = 0, minor = 0] = given.split('.').map(Number);
  const version = (major - 1) * 10_000 + minor;
  if (version > NEWEST_API)
    throw new Failure(
      'invalid',
      'API_TOO_NEW',
      `client version ${given} is too new. Maximum supported API version is ${formatVersion(NEWEST_API)}`,
    );
  if (version < OLDEST_API)
    throw new Failure(
      'invalid',
      'API_TOO_OLD',
      `client version ${given} is too old. Minimum supported API version is ${formatVersion(OLDEST_API)}, please upgrade your client to a newer version`,
    );
  return { version, path: rest };
}

export function formatVersion(version: number): string {
  return `1.${version}`;
}
