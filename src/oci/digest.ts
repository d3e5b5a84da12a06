import { Failure } from '../lib/error.ts';

declare const digestBrand: unique symbol;
declare const diffIdBrand: unique symbol;
declare const chainIdBrand: unique symbol;
declare const imageIdBrand: unique symbol;

/** `sha256:<64 lower-case hex>` of bytes as stored or sent. https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests */
export type Digest = string & { readonly [digestBrand]: true };
/** Digest of a layer's uncompressed tar. Never interchangeable with the digest of its compressed blob. */
export type DiffId = string & { readonly [diffIdBrand]: true };
/** Digest of a stack of layers, from the bottom one up. https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid */
export type ChainId = string & { readonly [chainIdBrand]: true };
/** Digest of the exact bytes of an image config. */
export type ImageId = string & { readonly [imageIdBrand]: true };

let loaded: typeof import('node:crypto') | undefined;
/** Loaded by who computes a digest: it takes 6 ms, and most commands of the client only read digests. */
const crypto = () => (loaded ??= process.getBuiltinModule('node:crypto'));

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** Whether a text is a whole sha256 digest. */
export function isDigest(text: string): text is Digest {
  return SHA256.test(text);
}

function parse(text: string, what: string): string {
  if (!SHA256.test(text))
    throw new Failure('invalid', 'DIGEST_INVALID', `invalid ${what} "${text}"`, {
      hint: 'expected sha256: and 64 hex digits',
    });
  return text;
}

// The assertions below are the only places where the brands are made: after `parse`, or on a computed sha256.
export const parseDigest = (text: string): Digest => parse(text, 'digest') as Digest;
export const parseDiffId = (text: string): DiffId => parse(text, 'diff ID') as DiffId;
export const parseImageId = (text: string): ImageId => parse(text, 'image ID') as ImageId;

/** Digest of bytes in memory. */
export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${crypto().hash('sha256', bytes, 'hex')}` as Digest;
}

/** The image whose config has these exact bytes. */
export function imageIdOf(config: Uint8Array): ImageId {
  return digestOf(config) as string as ImageId;
}

/** An image ID is the digest of the config blob. */
export function configDigest(id: ImageId): Digest {
  return id as string as Digest;
}

/** The 64 hex digits. */
export function hexOf(digest: Digest | DiffId | ChainId | ImageId): string {
  return digest.slice('sha256:'.length);
}

/** The first 12 hex digits, as people see them. */
export function shortId(digest: Digest | DiffId | ChainId | ImageId): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** Computes a digest of bytes that pass by. */
export class Digester {
  readonly #hash = crypto().createHash('sha256');
  size = 0;

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
  }

  /** Ends the computation; call once. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }

  /** The same, when the bytes were a layer's uncompressed tar. */
  diffId(): DiffId {
    return this.digest() as string as DiffId;
  }
}

/** Chain IDs of every prefix of `diffIds`, bottom first. */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push((below === undefined ? diffId : digestOf(`${below} ${diffId}`)) as string as ChainId);
  }
  return chain;
}
