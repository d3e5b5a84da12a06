const PART = 8 << 20;
const BIG_PART = 64 << 20;
const SMALL_PARTS = 5_000;

/**
 * What is stored of an unfinished upload: whole parts, and the bytes after them in an object beside the blob's own (parts cannot
 * be read, nor may one that is not the last be short). An upload that ends before its first part is full lies at the blob's own
 * name at once. All by ETag, so that nothing counts that another writer put in its place.
 */
export interface Stage {
  /** Of the multipart upload, once there is one. */
  readonly id?: string;
  /** ETags of its parts, each of `partSize` bytes. */
  readonly parts: readonly string[];
  /** The bytes after them, less than the next part. Number 0 is the blob's own object. */
  readonly rest?: { readonly number: number; readonly size: number; readonly etag: string };
  /** ETag of what lies at the blob's own name already and is only its beginning. */
  readonly early?: string;
}

/** Bytes of a part, which are numbered from 1: of 10,000 parts a blob gets 350 GiB. */
export function partSize(number: number): number {
  return number <= SMALL_PARTS ? PART : BIG_PART;
}

export function readStage(resume: string): Stage {
  return resume === '' ? { parts: [] } : (JSON.parse(resume) as Stage); // written by `writeStage`, kept with the metadata
}

export function writeStage(stage: Stage): string {
  return JSON.stringify(stage);
}
