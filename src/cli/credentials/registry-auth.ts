import { type Failure, isFailure } from '../../lib/error.ts';
import type { RegistryAuth } from '../../wire/auth.ts';
import type { Session } from '../session.ts';
import { type Credentials, loadAllCredentials, loadCredentials } from './store.ts';

/** Name under which Docker keeps the credentials of its default registry. */
const DEFAULT_KEY = 'https://index.docker.io/v1/';

/** The key of a registry in Docker's credential store. */
export function credentialKey(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? DEFAULT_KEY : host;
}

/** What the API calls an auth config. */
export function authConfig(key: string, credentials: Credentials): RegistryAuth {
  return credentials.kind === 'token'
    ? { identitytoken: credentials.secret, serveraddress: key }
    : { username: credentials.username, password: credentials.secret, serveraddress: key };
}

/**
 * The credentials that are kept for a registry. As with docker, a credential helper that does not work is no reason not to
 * try: most images need no credentials.
 */
export async function keptAuth(
  registry: string,
  session: Pick<Session, 'env' | 'signal' | 'stderr'>,
): Promise<RegistryAuth | undefined> {
  const key = credentialKey(registry);
  const credentials = await loadCredentials(key, session).catch((error: unknown) => {
    if (!isFailure(error, 'unavailable')) throw error;
    warn(session, error);
    return undefined;
  });
  return credentials && authConfig(key, credentials);
}

/** Header that hands the credentials of a registry to the host; no header when there are none. */
export async function registryAuth(
  registry: string,
  session: Pick<Session, 'env' | 'signal' | 'stderr'>,
): Promise<Record<string, string>> {
  const auth = await keptAuth(registry, session);
  if (!auth) return {};
  const json = JSON.stringify(auth);
  return {
    'X-Registry-Auth': Buffer.from(json)
      .toString('base64url')
      .padEnd(Math.ceil(json.length / 3) * 4, '='),
  };
}

/** Header that hands all credentials to the host, for a build's base images; no header when there are none. */
export async function allRegistryAuth(
  session: Pick<Session, 'env' | 'signal' | 'stderr'>,
): Promise<Record<string, string>> {
  const { env, signal } = session;
  const all = await loadAllCredentials({ env, signal, onFailure: (failure) => warn(session, failure) });
  if (all.size === 0) return {};
  const configs = Object.fromEntries([...all].map(([key, credentials]) => [key, authConfig(key, credentials)]));
  return { 'X-Registry-Config': Buffer.from(JSON.stringify(configs)).toString('base64') };
}

function warn({ stderr }: Pick<Session, 'stderr'>, failure: Failure): void {
  stderr.write(`WARNING: ${failure.message}\n`);
}
