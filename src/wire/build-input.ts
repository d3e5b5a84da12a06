/**
 * What a Strake client sends with POST /build beside Docker's query: in headers, which no host writes to a log, and which
 * are part of no URL, event or record. Docker's own clients send none of them.
 */
import type { ContextOffer } from './build.ts';

/** `id=<base64>` for each secret, joined by commas; an id as encodeURIComponent writes it. */
export const SECRETS_HEADER = 'strake-secrets';
/** Base64 of the JSON of `{ id: path }`: sockets of SSH agents on the machine that both share. */
export const AGENTS_HEADER = 'strake-agents';
/** Base64 of the JSON of ContextsOffer. */
export const CONTEXTS_HEADER = 'strake-contexts';

/** Bytes of one secret, as BuildKit bounds it. */
export const SECRET_LIMIT = 500 << 10;
/** Bytes of all secrets of a build: with their encoding they must fit into the head of a request. */
export const SECRETS_LIMIT = 600 << 10;

/** `--build-context`: what stands behind a name. */
export type NamedContext =
  /** A folder that client and host both see. */
  | { readonly kind: 'folder'; readonly offer: ContextOffer }
  /** A folder of the request's body. */
  | { readonly kind: 'packed'; readonly folder: string }
  | { readonly kind: 'image'; readonly reference: string }
  /** URL of a git repository or of a tar. */
  | { readonly kind: 'remote'; readonly url: string };

export interface ContextsOffer {
  readonly named: Readonly<Record<string, NamedContext>>;
  /** The body is one tar: the folder `0` is the build's own context, unless it is remote; others are those of `named`. */
  readonly packed: boolean;
}
