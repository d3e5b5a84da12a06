import type { UploadProgress } from './blob-storage.ts';
import type { ContentDigester } from './content-digest.ts';

const MOST = 1_000;

/**
 * Digests of uploads that rest between two requests. One that is missing here, as after a restart or on another node, is
 * computed again from the stored bytes.
 */
export class UploadDigests {
  readonly #resting = new Map<string, { readonly digester: ContentDigester; readonly resume: string }>();

  /** Takes out the digest of an upload, if it is of the bytes that are stored: another node may have written since. */
  take(id: string, { size, resume }: UploadProgress): ContentDigester | undefined {
    const resting = this.#resting.get(id);
    this.#resting.delete(id);
    return resting?.digester.size === size && resting.resume === resume ? resting.digester : undefined;
  }

  forget(id: string): void {
    this.#resting.delete(id);
  }

  rest(id: string, digester: ContentDigester, { resume }: UploadProgress): void {
    this.#resting.set(id, { digester, resume });
    const [oldest] = this.#resting.keys();
    if (this.#resting.size > MOST && oldest !== undefined) this.#resting.delete(oldest);
  }
}
