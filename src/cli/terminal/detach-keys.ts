import { Failure } from '../../lib/error.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

const PUNCTUATION: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/** Parses `ctrl-p,ctrl-q` or `a,ctrl-c` into the bytes that a terminal sends. */
export function parseDetachKeys(text: string): Buffer {
  const bytes = text.split(',').map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return PUNCTUATION[control] ?? control.toLowerCase().charCodeAt(0) - 96;
    if (key.length === 1) return key.charCodeAt(0);
    throw new Failure('invalid', 'DETACH_KEYS', `invalid detach keys (${text}): unknown character: '${key}'`);
  });
  return Buffer.from(bytes);
}

/** Looks for the detach keys in what is typed; keys that only began a sequence pass late, none is lost. */
export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** Bytes to pass on, and whether the sequence is complete. */
  feed(chunk: Buffer): { readonly pass: Buffer; readonly detached: boolean } {
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else pass.push(byte);
      if (this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true };
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
