/** A context of a build, wherever its files still are. */
export interface ContextFiles {
  /** The context with at least these paths and wildcards of it on this machine, until the build ends. */
  at(paths: readonly string[]): Promise<BuildContext>;
}

/** A context that is here already. */
export function presentFiles(context: BuildContext): ContextFiles {
  return { at: async () => context };
}

/** The folder that a build's COPY and ADD take files from. */
export interface BuildContext {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** Text of its .dockerignore. */
  readonly ignore: string | undefined;
  /** File that remembers digests of the folder's files between builds; the names of further notes begin with its path. */
  readonly memo: string | undefined;
  /**
   * Index of a tar that was unpacked into the folder (`applyTar` in plain form, owner 0:0) and that nobody changes; it lies on
   * the same disk as the layers. Its files are linked instead of copied where that makes no difference.
   */
  readonly index: string | undefined;
  /**
   * Nobody but this host writes to the folder, and it makes a file once: it may replace one, it never changes one. The folder lies
   * on the same disk as the layers, and its files are linked as those of a tar are.
   */
  readonly isOwn?: boolean;
}
