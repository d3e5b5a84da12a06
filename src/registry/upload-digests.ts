import type { ContentDigester } from './content-digest.ts';

const MOST = 1_000;

/**
 * Digests of uploads that rest between two requests. One that is missing here, as after a restart or on another node, is
 * computed again from the stored bytes.
 */
export class UploadDigests {
  readonly #resting = new Map<string, ContentDigester>();

  /** Takes out the digest of an upload, if it is of its first `size` bytes. */
  take(id: string, size: number): ContentDigester | undefined {
    const digester = this.#resting.get(id);
    this.#resting.delete(id);
    return digester?.size === size ? digester : undefined;
  }

  rest(id: string, digester: ContentDigester): void {
    this.#resting.set(id, digester);
    const [oldest] = this.#resting.keys();
    if (this.#resting.size > MOST && oldest !== undefined) this.#resting.delete(oldest);
  }
}
