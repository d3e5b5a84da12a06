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
} from './objects.ts';
import { openPartWriter, restName } from './part-writer.ts';
import { readStage, type Stage, wholeETag } from './stage.ts';
import { StoreError, storeFailure } from './store-error.ts';

/** A key, alone or as the beginning of a name: what else is in the bucket is not ours. */
const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.\d+)?$/;

/** What a store says of parts that are not there, or not those that were stored. */
const GONE: readonly string[] = ['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'];

/** Blobs as objects of a bucket that any number of nodes share. Throws when the bucket cannot be used. */
export async function openS3Blobs(place: BucketPlace, log: Log): Promise<BlobStorage & AsyncDisposable> {
  const credentials = findCredentials(process.env, log);
  const bucket = openBucket(bucketAddress(place, process.env), { credentials, log });
  try {
    await bucket.ask({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1' }, tries: 2 });
  } catch (error) {
    await bucket[Symbol.asyncDispose]();
    throw error;
  }
  const link = place.redirect ? { link: (key: BlobKey) => bucket.link(key) } : {};
  return { ...s3Blobs(bucket), ...link, [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose]() };
}

function s3Blobs(bucket: Bucket): BlobStorage {
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
async function finish(bucket: Bucket, name: string, { size, resume }: UploadProgress): Promise<void> {
  const stage = readStage(resume);
  if (size === 0) await putObject(bucket, name, []);
  else if (stage.id !== undefined) await joinParts(bucket, name, stage, stage.id);
  else if (stage.rest && stage.rest.number > 0) await moveRest(bucket, name, stage, stage.rest);
}

async function joinParts(bucket: Bucket, name: string, stage: Stage, id: string): Promise<void> {
  const { parts, rest } = stage;
  const isDone = (await headObject(bucket, name))?.etag === wholeETag(rest ? [...parts, rest.etag] : parts);
  if (!isDone) {
    const bytes = rest && (await getObject(bucket, restName(name, rest.number), rest));
    const last = bytes && (await putPart(bucket, { name, id }, parts.length + 1, [bytes]));
    const body = [Buffer.from(completion(last === undefined ? parts : [...parts, last]))];
    const query = { uploadId: id };
    const { status, text } = await bucket.ask({ method: 'POST', name, query, body }, [400, 404]);
    const whole = wholeETag(last === undefined ? parts : [...parts, last]);
    if (status >= 400 && (await headObject(bucket, name))?.etag !== whole) {
      const error = new StoreError(status, text);
      if (!GONE.includes(error.code)) throw storeFailure(error, bucket.address.name);
      throw new Failure('data-loss', 'S3_PARTS', `the parts of object ${name} are not what was stored: ${error.code}`);
    }
  }
  await tidy(bucket, name);
}

/** Few bytes that came in several requests. */
async function moveRest(
  bucket: Bucket,
  name: string,
  { early }: Stage,
  rest: NonNullable<Stage['rest']>,
): Promise<void> {
  const there = await headObject(bucket, name);
  if (there?.etag === rest.etag && there.size === rest.size) return await tidy(bucket, name);
  if (there && there.etag !== early) throw lost(name);
  await putObject(bucket, name, [await getObject(bucket, restName(name, rest.number), rest)]);
  await tidy(bucket, name);
}

/** Removes what was needed until the object was whole, or was left by one who was cut off. */
async function tidy(bucket: Bucket, name: string): Promise<void> {
  for await (const rest of listObjects(bucket, `${name}.`)) await deleteObject(bucket, rest);
  for await (const upload of listUploads(bucket, name)) await abortUpload(bucket, upload);
}
