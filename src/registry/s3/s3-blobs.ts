import { Failure } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { BucketPlace } from '../../wire/registry-options.ts';
import { type BlobKey, type BlobStorage, blobKey, type UploadProgress } from '../blob-storage.ts';
import { completion } from './answers.ts';
import { type Bucket, openBucket } from './bucket.ts';
import { bucketAddress } from './bucket-address.ts';
import { findCredentials } from './credentials.ts';
import { openObject } from './object-reader.ts';
import {
  abortUpload,
  deleteObject,
  getObject,
  headObject,
  listObjects,
  listUploads,
  lost,
  putObject,
  putPart,
  type UnfinishedUpload,
} from './objects.ts';
import { openPartWriter, restName } from './part-writer.ts';
import { readStage, type Stage } from './stage.ts';
import { StoreError, storeFailure } from './store-error.ts';

/** A key, alone or as the beginning of a name: what else is in the bucket is not ours. */
const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.\d+)?$/;

/** What a store says of parts that are not there, or not those that were stored. */
const GONE: readonly string[] = ['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'];

/** Blobs as objects of a bucket that any number of nodes share. Throws when the bucket cannot be used. */
export async function openS3Blobs(place: BucketPlace, log: Log): Promise<BlobStorage & AsyncDisposable> {
  const address = bucketAddress(place, process.env);
  const credentials = findCredentials(process.env, address.region, log);
  const bucket = openBucket(address, { credentials, log });
  try {
    await bucket.ask({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1' }, tries: 2 });
  } catch (error) {
    await bucket[Symbol.asyncDispose]();
    throw error;
  }
  const link = place.redirect ? { link: (key: BlobKey) => bucket.link(key) } : {};
  return { ...s3Blobs(bucket), ...link, [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose]() };
}

/** Blobs as objects of an open bucket. */
export function s3Blobs(bucket: Bucket): BlobStorage {
  return {
    write: (key, progress) => openPartWriter(bucket, key, progress),
    finish: (key, progress) => finish(bucket, key, progress),
    open: (key, range) => openObject(bucket, key, range),
    async delete(key) {
      await deleteObject(bucket, key);
      await tidy(bucket, key);
    },
    async *list() {
      let last: string | undefined;
      for await (const name of listObjects(bucket, '')) {
        const key = NAME.exec(name)?.[1];
        if (key !== undefined && key !== last) yield blobKey(key);
        last = key ?? last;
      }
      for await (const { name } of listUploads(bucket, '')) if (NAME.test(name)) yield blobKey(name);
    },
  };
}

/** Puts the parts together, if that was not done already by one whose answer was lost. */
async function finish(bucket: Bucket, name: string, { size, resume }: UploadProgress): Promise<boolean> {
  const stage = readStage(resume);
  let isOwn = true;
  if (size === 0) {
    await putObject(bucket, name, []);
    return true;
  }
  if (stage.id !== undefined) isOwn = await joinParts(bucket, { name, id: stage.id, size }, stage);
  else if (stage.rest && stage.rest.number > 0) isOwn = await moveRest(bucket, name, stage, stage.rest);
  else return true; // it lies there since it was written
  await tidy(bucket, name);
  return isOwn;
}

/** False when an object of that size is there: ETags of what was joined do not tell of what in every bucket. */
async function joinParts(
  bucket: Bucket,
  { name, id, size }: UnfinishedUpload & { readonly size: number },
  { parts, rest }: Stage,
): Promise<boolean> {
  const isJoined = async () => (await headObject(bucket, name))?.size === size;
  if (await isJoined()) return false;
  const bytes = rest && (await getObject(bucket, restName(name, rest.number), rest));
  const last = bytes && (await putPart(bucket, { name, id }, parts.length + 1, [bytes]));
  const body = [Buffer.from(completion(last === undefined ? parts : [...parts, last]))];
  const { status, text } = await bucket.ask({ method: 'POST', name, query: { uploadId: id }, body }, [400, 404]);
  if (status < 400) return true;
  if (await isJoined()) return false;
  const error = new StoreError(status, text);
  if (!GONE.includes(error.code)) throw storeFailure(error, bucket.address.name);
  throw new Failure('data-loss', 'S3_PARTS', `the parts of object ${name} are not what was stored: ${error.code}`);
}

/** Few bytes that came in several requests. False when an object of that size is there, of which they are not known to be the beginning. */
async function moveRest(
  bucket: Bucket,
  name: string,
  { early }: Stage,
  rest: NonNullable<Stage['rest']>,
): Promise<boolean> {
  const there = await headObject(bucket, name);
  if (there && there.etag !== early) {
    if (there.size !== rest.size) throw lost(name);
    return false;
  }
  await putObject(bucket, name, [await getObject(bucket, restName(name, rest.number), rest)]);
  return true;
}

/** Removes what was needed until the object was whole, or was left by one who was cut off. */
async function tidy(bucket: Bucket, name: string): Promise<void> {
  for await (const rest of listObjects(bucket, `${name}.`)) await deleteObject(bucket, rest);
  for await (const upload of listUploads(bucket, name)) await abortUpload(bucket, upload);
}
