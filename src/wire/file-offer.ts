/**
 * Header by which a client on the same machine offers a file instead of sending or receiving its bytes: base64 JSON of
 * FileOffer. POST /images/load and POST /images/create?fromSrc=- then have no body; GET /images/get writes into the file,
 * which must be empty, and answers without one. The host answers 412 when the file that it sees at the path is another one;
 * the client then does without.
 */
export const FILE_HEADER = 'strake-file';

export interface FileOffer {
  /** Absolute. */
  readonly path: string;
  /** Decimal numbers, as stat tells them. */
  readonly device: string;
  readonly inode: string;
}
