/** The folder that a build's COPY and ADD take files from. */
export interface BuildContext {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** Text of its .dockerignore. */
  readonly ignore: string | undefined;
  /** File that remembers digests of the folder's files; undefined when there is nothing to gain. */
  readonly memo: string | undefined;
}
