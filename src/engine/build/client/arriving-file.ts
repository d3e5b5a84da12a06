import { closeSync, writeSync } from 'node:fs';
import { Failure } from '../../../lib/error.ts';
import type { ClientEntry, ContentSink } from './client-folder.ts';

/** What happens to contents that arrive. */
export interface Arrival {
  /** The first bytes are there: makes the file. */
  open(file: ArrivingFile, entry: ClientEntry): number;
  came(bytes: number): void;
  /** All is there. */
  finish(fd: number, entry: ClientEntry): void;
  closed(file: ArrivingFile): void;
}

/** The content of one file while it arrives. */
export class ArrivingFile implements ContentSink {
  readonly #entry: ClientEntry;
  readonly #on: Arrival;
  #fd: number | undefined;
  #written = 0;

  constructor(entry: ClientEntry, on: Arrival) {
    this.#entry = entry;
    this.#on = on;
  }

  write(chunk: Uint8Array): void {
    const { path, size } = this.#entry;
    if (this.#written + chunk.length > size) throw refused(path, `it has more than its ${size} bytes: did it change?`);
    this.#fd ??= this.#on.open(this, this.#entry);
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
    this.#written += chunk.length;
    this.#on.came(chunk.length);
  }

  end(): void {
    const { path, size } = this.#entry;
    if (this.#fd === undefined || this.#written !== size)
      throw refused(path, `${this.#written} of its ${size} bytes came: did it change, or can it not be read?`);
    this.#on.finish(this.#fd, this.#entry);
    this.close();
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#on.closed(this);
  }
}

/** That an entry of a client is not taken. */
export function refused(path: string, why: string): Failure {
  const shown = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);
  return new Failure('invalid', 'CONTEXT_REFUSED', `the client's ${shown} is not taken: ${why}`);
}
