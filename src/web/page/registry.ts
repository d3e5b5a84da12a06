import { MediaType } from '../../oci/media-type.ts';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import { ask, authorize } from './request.ts';
import { Trouble } from './trouble.ts';

/** What a manifest names. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
}

/** A manifest or an index, as the registry has it. */
export interface Manifest {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

const MANIFESTS = [MediaType.ociManifest, MediaType.ociIndex, MediaType.dockerManifest, MediaType.dockerList].join(
  ', ',
);
/** A config is a page of text; what is larger is something else. */
const CONFIG_LIMIT = 8 << 20;
const MOST_NAMES = 10_000;

/** Questions to the registry that serves the page, by the API that all its clients have. */
export const registry = {
  /** Whether it wants to know who asks. */
  async hasUsers(signal: AbortSignal): Promise<boolean> {
    try {
      await ask('/v2/', signal);
      return false;
    } catch (error) {
      if (error instanceof Trouble && error.status === 401) return true;
      throw error;
    }
  },
  async repositories(signal: AbortSignal): Promise<{ names: readonly string[]; isCut: boolean }> {
    return await pages<string>('/v2/_catalog', 'registry:catalog:*', 'repositories', signal);
  },
  async tags(repository: string, signal: AbortSignal): Promise<{ names: readonly string[]; isCut: boolean }> {
    return await pages<string>(`/v2/${repository}/tags/list`, pullScope(repository), 'tags', signal);
  },
  async manifest(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<{ manifest: Manifest; mediaType: string; digest: string }> {
    const path = `/v2/${repository}/manifests/${encodeURIComponent(reference)}`;
    const { headers, body } = await admitted(path, pullScope(repository), signal, { Accept: MANIFESTS });
    // Registries check manifests when they are pushed.
    const manifest = (await new Response(body).json()) as Manifest;
    const mediaType = headers.get('content-type') ?? manifest.mediaType ?? '';
    return { manifest, mediaType, digest: headers.get('docker-content-digest') ?? reference };
  },
  async config(repository: string, { digest, size }: Descriptor, signal: AbortSignal): Promise<ImageConfig> {
    if (size > CONFIG_LIMIT)
      throw new Trouble(`a config of ${size} bytes is over what this page reads`, { status: 413 });
    return readImageConfig(await (await blob(repository, digest, signal)).json());
  },
  async referrers(repository: string, digest: string, signal: AbortSignal): Promise<readonly Descriptor[]> {
    const answer = await admitted(`/v2/${repository}/referrers/${digest}`, pullScope(repository), signal);
    return ((await answer.json()) as Manifest).manifests ?? [];
  },
};

async function blob(repository: string, digest: string, signal: AbortSignal): Promise<Response> {
  return await admitted(`/v2/${repository}/blobs/${digest}`, pullScope(repository), signal);
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

/** All pages of a list of names, as far as somebody may want to see them. */
async function pages<T>(
  path: string,
  scope: string,
  field: string,
  signal: AbortSignal,
): Promise<{ names: readonly T[]; isCut: boolean }> {
  const names: T[] = [];
  for (let next: string | undefined = `${path}?n=1000`; next !== undefined; ) {
    const answer = await admitted(next, scope, signal);
    names.push(...(((await answer.json()) as Record<string, T[] | null>)[field] ?? []));
    next = /<(\/[^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1];
    if (names.length >= MOST_NAMES) return { names, isCut: next !== undefined };
  }
  return { names, isCut: false };
}

const CREDENTIALS = 'strake-explorer-credentials';
/** Tokens of nobody, by what they are for; who has signed in needs none. */
const tokens = new Map<string, string>();

/** Who signed in stays so as long as this tab is open. */
export function rememberedUser(): string | undefined {
  const kept = sessionStorage.getItem(CREDENTIALS);
  if (kept === null) return undefined;
  authorize(`Basic ${kept}`);
  return new TextDecoder().decode(Uint8Array.from(atob(kept), (byte) => byte.charCodeAt(0))).replace(/:.*/s, '');
}

export function signIn(name: string, password: string): void {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  sessionStorage.setItem(CREDENTIALS, btoa(String.fromCharCode(...bytes)));
  rememberedUser();
}

export function signOut(): void {
  sessionStorage.removeItem(CREDENTIALS);
  authorize(undefined);
}

/** Asks; those without a name get the token that the registry may have for them. */
async function admitted(
  path: string,
  scope: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const known = tokens.get(scope);
  try {
    return await ask(path, signal, {
      ...(known !== undefined && rememberedUser() === undefined && { Authorization: `Bearer ${known}` }),
      ...headers,
    });
  } catch (error) {
    if (!(error instanceof Trouble) || error.status !== 401 || rememberedUser() !== undefined) throw error;
    const token = await anonymousToken(error.challenge, scope, signal);
    if (token === undefined) throw error;
    tokens.set(scope, token);
    return await ask(path, signal, { Authorization: `Bearer ${token}`, ...headers });
  }
}

/** https://distribution.github.io/distribution/spec/auth/token/ */
async function anonymousToken(
  challenge: string | undefined,
  scope: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [, realm = ''] = /^Bearer .*?realm="([^"]+)"/i.exec(challenge ?? '') ?? [];
  const service = /service="([^"]+)"/.exec(challenge ?? '')?.[1] ?? '';
  if (!URL.canParse(realm) || new URL(realm).origin !== location.origin) return undefined;
  const query = new URLSearchParams({ service, scope });
  const answer = (await (await ask(`${realm}?${query}`, signal)).json()) as { token?: string };
  return answer.token;
}
