import type { LayerFacts } from '../../store/layers.ts';
import type { BuildContext } from '../context/build-context.ts';
import type { CopyInputs } from '../context/copy-inputs.ts';
import type { GitSource } from '../git/git-source.ts';

/** What a COPY or ADD asks for, every word expanded. */
export interface CopyRequest {
  /** For messages. */
  readonly instruction: 'COPY' | 'ADD' | 'RUN --mount';
  /** In the order written. */
  readonly sources: readonly CopySource[];
  /** As written: relative to `workdir`; a slash at its end says that it is a folder. */
  readonly destination: string;
  /** Absolute. */
  readonly workdir: string;
  /** Where sources of kind `path` are looked for. */
  readonly from: SourcePlace;
  /** `user[:group]`, names or numbers; undefined for 0:0. */
  readonly chown: string | undefined;
  /** Octal; undefined to keep each file's own. */
  readonly chmod: string | undefined;
  /** Patterns of sources to leave out, in the language of .dockerignore, relative to each source folder. */
  readonly excludes: readonly string[];
  /** Keep the folders of a source's path below the destination. */
  readonly parents: boolean;
  /** Unpack sources of kind `path` that are tar archives. */
  readonly unpack: boolean;
  /** Folders of the layers to work on, bottom first, each with `diff` in overlayfs form. */
  readonly base: readonly string[];
  /** Somebody will write to the result: no file of it may be a link to a source. */
  readonly isWritable?: boolean;
}

/** A copy of files as they are, to a place in the root, onto nothing. */
export const PLAIN_COPY: Omit<CopyRequest, 'instruction' | 'sources' | 'destination' | 'from'> = {
  workdir: '/',
  chown: undefined,
  chmod: undefined,
  excludes: [],
  parents: false,
  unpack: false,
  base: [],
};

export type SourcePlace =
  | { readonly kind: 'context'; readonly context: BuildContext }
  /** Another stage or image: folders of its layers, bottom first, each with `diff` and `index`. */
  | { readonly kind: 'layers'; readonly folders: readonly string[] };

export type CopySource =
  /** A path or wildcard. */
  | { readonly kind: 'path'; readonly path: string }
  /** A file written in the Dockerfile. */
  | { readonly kind: 'inline'; readonly name: string; readonly content: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly checksum: string | undefined;
      /** Unpack it, if it is a tar archive. */
      readonly unpack: boolean;
    }
  | { readonly kind: 'git'; readonly source: GitSource; readonly keepGitDir: boolean };

export interface CopyTarget {
  /** The new layer's own folder, empty: `diff` and `index` are made in it. */
  readonly folder: string;
  /** Modification time, in seconds, of folders that the step makes on its way. */
  readonly time: number;
  /** What is newer gets this modification time, in seconds. */
  readonly newest?: number | undefined;
}

export interface CopiedLayer {
  readonly facts: LayerFacts;
  /** What was really copied. It differs from what was announced when a file changed in between: keep this one. */
  readonly inputs: CopyInputs;
}

/** A COPY or ADD that has found its sources; URLs are downloaded. Disposing it removes the downloads. */
export interface CopyJob extends AsyncDisposable {
  /** What would be copied, as a component of the step's key. Reads only files whose digest is not remembered. */
  inputs(options: { readonly signal: AbortSignal }): Promise<CopyInputs>;
  /**
   * Copies into a new layer, which is whole when the promise resolves. Each file is read once; `inputs` need not be
   * called before. A failed or aborted copy leaves rubbish in the folder, which the caller removes.
   */
  copy(
    target: CopyTarget,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (progress: { readonly files: number; readonly bytes: number }) => void;
    },
  ): Promise<CopiedLayer>;
}
