import { createHash, hash } from 'node:crypto';
import { Refusal } from './codes.ts';

declare const brand: unique symbol;

/** `sha256:` or `sha512:` with their lower-case hex digits: the algorithms that every registry must know. */
export type ContentDigest = string & { readonly [brand]: true };

export type Algorithm = 'sha256' | 'sha512';

const FORM = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isContentDigest(text: string): text is ContentDigest {
  return FORM.test(text);
}

/** Throws DIGEST_INVALID for what is no digest, or one of another algorithm. */
export function parseContentDigest(text: string): ContentDigest {
  if (isContentDigest(text)) return text;
  throw new Refusal('DIGEST_INVALID', {
    message: `invalid digest "${text.slice(0, 160)}": expected sha256: and 64 or sha512: and 128 hex digits`,
  });
}

export function isAlgorithm(text: string): text is Algorithm {
  return text === 'sha256' || text === 'sha512';
}

export function algorithmOf(digest: ContentDigest): Algorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** Digest of bytes in memory. */
export function contentDigestOf(bytes: Uint8Array, algorithm: Algorithm): ContentDigest {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}` as ContentDigest; // computed here
}

/** Computes the digest of bytes that pass by. */
export class ContentDigester {
  readonly algorithm: Algorithm;
  readonly #hash;
  size = 0;

  constructor(algorithm: Algorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
  }

  /** Ends the computation; call once. */
  digest(): ContentDigest {
    return `${this.algorithm}:${this.#hash.digest('hex')}` as ContentDigest; // computed here
  }
}
