declare const brand: unique symbol;

/**
 * Where the bytes of one upload, and then of one blob, are. Chosen anew for every upload, so a key never means other bytes
 * later: a blob that is deleted and pushed again has another key, and no deletion can hit the wrong one.
 */
export type BlobKey = string & { readonly [brand]: true };

/** Makes the key of a new upload from its identifier. */
export function blobKey(uploadId: string): BlobKey {
  return uploadId as BlobKey; // the one place where keys are made
}

/** How far an upload is. Kept with the metadata, so that another node can go on. */
export interface UploadProgress {
  /** Bytes that are stored. */
  readonly size: number;
  /** What the storage needs to go on (numbers of parts, ...); empty for one that needs nothing. */
  readonly resume: string;
}

/**
 * Bytes at immutable keys: written in place, then readable, never renamed, never copied, never changed. Which keys mean
 * something is the metadata's to know; a storage that forgets nothing else is enough for any number of nodes.
 */
export interface BlobStorage {
  /**
   * Continues the upload at `key` after its first `progress.size` bytes; what an earlier writer left beyond is dropped. One
   * writer at a time: who writes holds the upload's claim.
   */
  write(key: BlobKey, progress: UploadProgress): Promise<BlobWriter>;
  /**
   * Makes the bytes durable and readable, all `progress.size` of them; before that nobody can count on either. Idempotent. False when
   * that was done before: as many bytes are there, but only who reads them knows that they are the same.
   */
  finish(key: BlobKey, progress: UploadProgress): Promise<boolean>;
  /** Opens a finished blob; undefined when nothing is there. `range`: what will be read, for a storage that is far away. */
  open(key: BlobKey, range?: { readonly start: number; readonly end: number }): Promise<BlobReader | undefined>;
  /** A URL where whoever has it gets a finished blob, for some minutes. Only of a storage that clients are to ask themselves. */
  link?(key: BlobKey): Promise<string>;
  /** Opens an upload's bytes so far, where a storage can. Reads at their end give 0, and more when more has come. */
  openUnfinished?(key: BlobKey): Promise<BlobReader | undefined>;
  /** Removes blob or upload. No error when nothing is there; readers that are open go on. */
  delete(key: BlobKey): Promise<void>;
  /** Every key there is, in no order. Keys that appear meanwhile may be missing. */
  list(): AsyncIterable<BlobKey>;
}

export interface BlobWriter {
  /** Takes bytes; a promise means: wait for it before the next ones. The chunk must not be changed afterwards. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** Ends the writing, also after an error: the progress that can be continued from. */
  close(): Promise<UploadProgress>;
}

export interface BlobReader extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** Reads at `offset` into `buffer`; the number of bytes read, 0 at the end only. What can be had at once is no promise. */
  read(buffer: Buffer, offset: number, length: number): Promise<number> | number;
}
