import { Failure } from '../../../lib/error.ts';
import { parseReference, type Reference } from '../../../oci/reference.ts';
import type { RegistryConnection } from '../../../remote/connection.ts';
import { Registries } from '../../../remote/registries.ts';
import { registrySettings } from '../../../remote/settings.ts';
import { keptAuth } from '../../credentials/registry-auth.ts';
import { list } from '../../flags/flag.ts';
import type { Session } from '../../session.ts';

/** What a command about a registry is about. */
export interface Target {
  /** `localhost:5000` */
  readonly registry: string;
  /** Undefined: the registry itself. */
  readonly reference: Reference | undefined;
}

/** `HOST[:PORT]` or `HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]`. */
export function parseTarget(text: string): Target {
  const slash = text.indexOf('/');
  const registry = slash < 0 ? text : text.slice(0, slash);
  if (!/^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/.test(registry))
    throw new Failure('invalid', 'REGISTRY_INVALID', `invalid registry "${registry}": expected HOST[:PORT]`);
  if (slash < 0 || slash === text.length - 1) return { registry, reference: undefined };
  // A name with a dot is a registry to everybody; the one that was given is put back afterwards.
  const reference = parseReference(`registry.invalid/${text.slice(slash + 1)}`);
  return { registry, reference: { ...reference, registry } };
}

export const insecureFlag = list('Registry (host[:port] or CIDR) that may have a false certificate or plain HTTP');

/** Connects to a registry with the credentials of `strake login`; no host is needed for that. Dispose it after use. */
export async function connectTo(
  session: Pick<Session, 'env' | 'signal' | 'stderr'>,
  registry: string,
  insecure: readonly string[],
): Promise<{ readonly connection: RegistryConnection } & Disposable> {
  const registries = new Registries(registrySettings([], insecure));
  const auth = await keptAuth(registry, session);
  const connection = await registries.connect(registry, { auth, signal: session.signal });
  return { connection, [Symbol.dispose]: () => registries[Symbol.dispose]() };
}

/** A registry as a whole; throws for a repository. */
export function parseRegistry(text: string): string {
  const { registry, reference } = parseTarget(text);
  if (reference === undefined) return registry;
  throw new Failure('invalid', 'REGISTRY_INVALID', `"${text}" is a repository: expected HOST[:PORT]`);
}
