import { Failure } from '../lib/error.ts';

/** ctrl-p ctrl-q */
const DEFAULT_KEYS = Buffer.from([0x10, 0x11]);

/** Reads detach keys as users write them: `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`. */
export function parseDetachKeys(keys: string): Buffer {
  if (keys === '') return DEFAULT_KEYS;
  return Buffer.from(keys.split(',').map((key) => keyCode(key, keys)));
}

function keyCode(key: string, all: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
  if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
  throw new Failure('invalid', 'DETACH_KEYS_INVALID', `Invalid escape keys (${all}) provided`, {
    hint: 'write letters or ctrl-<letter>, joined by commas',
  });
}

/** Looks for the detach keys in what is typed. A beginning of the keys is held back until it is decided. */
export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  scan(chunk: Buffer): { pass: Buffer; detached: boolean } {
    if (this.#matched === 0 && !chunk.includes(this.#keys[0] ?? 0)) return { pass: chunk, detached: false };
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte);
      else if (++this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true };
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
