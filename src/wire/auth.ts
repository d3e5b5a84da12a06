import { Failure } from '../lib/error.ts';

/** Shapes of the Docker Engine API for registry credentials. https://docs.docker.com/reference/api/engine/ */

/** Content of X-Registry-Auth, of each entry of X-Registry-Config, and body of POST /auth. No field is anonymous. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  /** Refresh token instead of a password. */
  identitytoken?: string;
  /** Bearer token that is sent as it is. */
  registrytoken?: string;
  serveraddress?: string;
}

/** Answer of POST /auth */
export interface AuthAnswer {
  IdentityToken: string;
  Status: string;
}

/** One row of GET /images/search */
export interface SearchRow {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

/** GET /distribution/{name}/json */
export interface DistributionInspect {
  Descriptor: { mediaType: string; digest: string; size: number };
  Platforms: { architecture: string; os: string; variant?: string }[];
}

/** The registry that a server address means: a host, or a URL as Docker keeps it. */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  if (['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host)) return 'docker.io';
  if (!/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?$/.test(host))
    throw new Failure('invalid', 'SERVER_INVALID', `invalid registry address "${address}"`);
  return host;
}
