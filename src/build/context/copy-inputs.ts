import type { Digest } from '../../oci/digest.ts';

/** Everything about the sources of a COPY that decides whether a result can be used again. */
export interface CopyInputs {
  /** Of the whole; the component of the step's key. */
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
  /** The list that `digest` is of; `listInputs` reads it. Worth keeping, to explain a later miss. */
  readonly listing: Uint8Array;
}

/** One source file as its key sees it: no times, no owner. */
export interface InputFile {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'char' | 'block';
  readonly mode: number;
  /** Of a file: sha256 of its content. */
  readonly digest: Digest | undefined;
  readonly linkTarget: string | undefined;
}
