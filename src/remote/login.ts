import { Failure, isFailure } from '../lib/error.ts';
import { type AuthAnswer, type RegistryAuth, registryOf } from '../wire/auth.ts';
import { discard } from './http.ts';
import type { Registries } from './registries.ts';

/**
 * Tries credentials with the registry that they name (docker.io when none). A registry with tokens may answer with a
 * refresh token, which is then kept instead of the password. Refused ones are `unauthenticated` LOGIN_REFUSED.
 */
export async function login(
  registries: Registries,
  credentials: RegistryAuth,
  options: { readonly signal: AbortSignal },
): Promise<AuthAnswer> {
  const { signal } = options;
  const connection = await registries.connect(registryOf(credentials.serveraddress ?? ''), {
    auth: credentials,
    signal,
  });
  const { authenticator, base } = connection;
  let refreshToken: string | undefined;
  try {
    if (authenticator.challenge?.scheme === 'bearer')
      ({ refreshToken } = await authenticator.fetchToken([], { signal, offline: true }));
    discard(await connection.send({ method: 'GET', url: 'v2/', scopes: [], expect: [200], signal }));
  } catch (error) {
    if (!isFailure(error, 'unauthenticated', 'denied')) throw error;
    const status = error.kind === 'denied' ? '403 Forbidden' : '401 Unauthorized';
    const message = `login attempt to ${new URL('v2/', base)} failed with status: ${status}`;
    throw new Failure('unauthenticated', 'LOGIN_REFUSED', message, { cause: error });
  }
  return { IdentityToken: refreshToken ?? '', Status: 'Login Succeeded' };
}
