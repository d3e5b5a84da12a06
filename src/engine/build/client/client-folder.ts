/** What a build needs of folders that its client has. The door meets it. */

/** A folder of the client, of which a build asks for what it needs. */
export interface ClientFolder {
  readonly files: ClientFiles;
  readonly name: string;
  /** What the client calls the same folder in all its builds; '' when it does not say. */
  readonly sharedKey: string;
}

export interface ClientFiles {
  /** Lists a folder into `sink` and brings the contents that it wants. Resolves when all has arrived. */
  sync(
    request: {
      readonly name: string;
      /** Patterns of .dockerignore. */
      readonly exclude: readonly string[];
      /** Paths and wildcards, with what links on the way lead to; undefined for all. */
      readonly followPaths: readonly string[] | undefined;
    },
    sink: FileSink,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

export interface FileSink {
  /** Whether the entry in these bytes, the next of the list, is to be left as it is. If not, it comes by `add`. */
  passes(raw: Uint8Array): boolean;
  /** The next entry, in the order of a walk; where to put its content when it is wanted. */
  add(entry: ClientEntry, raw: Uint8Array): ContentSink | undefined;
  /** There are no more entries. */
  listed(): void;
}

export interface ContentSink {
  write(chunk: Uint8Array): void;
  end(): void;
}

/** As the client wrote it: nothing of it was checked. */
export interface ClientEntry {
  /** Relative, with `/`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'device' | 'socket' | 'other';
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly modified: bigint;
  /** Of a symlink where it leads; of a file the path of an earlier one that is the same file, or ''. */
  readonly link: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}
