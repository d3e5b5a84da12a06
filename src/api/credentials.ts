import { type RegistryAuth, registryOf } from '../wire/auth.ts';
import type { AskRegistryAuth } from './backend/build.ts';
import { type Check, map, object, text } from './check.ts';

export const registryAuth: Check<RegistryAuth> = object({
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
  serveraddress: text,
});

/** X-Registry-Auth. Missing, empty or unreadable content is anonymous, as Docker has it. */
export function readRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  const auth = decode(header, registryAuth);
  return auth && Object.keys(auth).length > 0 ? auth : undefined;
}

/** X-Registry-Config: credentials by registry host. */
export function readRegistryConfig(header: string | undefined): Record<string, RegistryAuth> {
  return decode(header, map(registryAuth)) ?? {};
}

/** Answers with what came beforehand, whatever form the names of its registries have. */
export function authOf(config: Readonly<Record<string, RegistryAuth>>): AskRegistryAuth {
  return async (host) => Object.entries(config).find(([server]) => registryOf(server) === host)?.[1];
}

/** Both base64 alphabets are in use. */
function decode<T>(header: string | undefined, check: Check<T>): T | undefined {
  if (header === undefined || header === '') return undefined;
  try {
    return check(JSON.parse(Buffer.from(header, 'base64url').toString('utf8')), '');
  } catch {
    return undefined;
  }
}
