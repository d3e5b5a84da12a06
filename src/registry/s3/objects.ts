import { Failure, isFailure } from '../../lib/error.ts';
import { elements, textOf } from './answers.ts';
import type { Bucket } from './bucket.ts';
import { storeFailure } from './store-error.ts';

/** How often an object is asked for whose bytes break off. */
const TRIES = 3;

/** An object's state. */
export interface ObjectHead {
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
}

/** Size and ETag of an object; undefined when there is none. */
export async function headObject(bucket: Bucket, name: string): Promise<ObjectHead | undefined> {
  const { status, headers } = await bucket.ask({ method: 'HEAD', name }, [404]);
  if (status === 404) return undefined;
  return { size: Number(headers['content-length'] ?? 0), etag: headers.etag ?? '' };
}

/** Stores an object in one request; its ETag. Undefined when `onlyNew` and there is one. */
export async function putObject(
  bucket: Bucket,
  name: string,
  body: readonly Buffer[],
  onlyNew = false,
): Promise<string | undefined> {
  const condition = onlyNew ? { headers: { 'if-none-match': '*' } } : {};
  const { status, headers } = await bucket.ask({ method: 'PUT', name, body, ...condition }, onlyNew ? [412] : []);
  return status === 412 ? undefined : etagOf(headers.etag);
}

/** A small object as a whole, when it is still the one with this ETag. */
export async function getObject(bucket: Bucket, name: string, { size, etag }: ObjectHead): Promise<Buffer> {
  for (let tried = 1; ; tried++) {
    const answer = await bucket.stream({ method: 'GET', name, headers: { 'if-match': etag } }, [404, 412]);
    if (answer.statusCode === 404 || answer.statusCode === 412) throw lost(name);
    const bytes = Buffer.allocUnsafe(size);
    let filled = 0;
    try {
      for await (const chunk of answer) {
        if (filled + chunk.length > size) throw lost(name);
        filled += chunk.copy(bytes, filled);
      }
    } catch (error) {
      if (isFailure(error) || tried === TRIES) throw storeFailure(error, bucket.address.name);
      continue; // cut on its way
    }
    if (filled < size) throw lost(name);
    return bytes;
  }
}

export async function deleteObject(bucket: Bucket, name: string): Promise<void> {
  await bucket.ask({ method: 'DELETE', name }, [404]);
}

/** Names of the objects that begin so, below the prefix. */
export async function* listObjects(bucket: Bucket, beginning: string): AsyncGenerator<string> {
  const { prefix } = bucket.address;
  for (let token: string | undefined; ; ) {
    const query = {
      'list-type': '2',
      prefix: prefix + beginning,
      ...(token !== undefined && { 'continuation-token': token }),
    };
    const { text } = await bucket.ask({ method: 'GET', query });
    for (const entry of elements(text, 'Contents')) yield (textOf(entry, 'Key') ?? '').slice(prefix.length);
    token = textOf(text, 'IsTruncated') === 'true' ? textOf(text, 'NextContinuationToken') : undefined;
    if (token === undefined) return;
  }
}

export interface UnfinishedUpload {
  readonly name: string;
  readonly id: string;
}

/** Unfinished multipart uploads of objects whose names begin so. */
export async function* listUploads(bucket: Bucket, beginning: string): AsyncGenerator<UnfinishedUpload> {
  const { prefix } = bucket.address;
  for (let marks: Record<string, string> = {}; ; ) {
    const query = { uploads: '', prefix: prefix + beginning, ...marks };
    const { text } = await bucket.ask({ method: 'GET', query });
    for (const entry of elements(text, 'Upload'))
      yield { name: (textOf(entry, 'Key') ?? '').slice(prefix.length), id: textOf(entry, 'UploadId') ?? '' };
    const [key, id] = [textOf(text, 'NextKeyMarker'), textOf(text, 'NextUploadIdMarker')];
    if (textOf(text, 'IsTruncated') !== 'true' || key === undefined) return;
    marks = { 'key-marker': key, ...(id !== undefined && { 'upload-id-marker': id }) };
  }
}

export async function abortUpload(bucket: Bucket, { name, id }: UnfinishedUpload): Promise<void> {
  await bucket.ask({ method: 'DELETE', name, query: { uploadId: id } }, [404]);
}

export async function beginUpload(bucket: Bucket, name: string): Promise<string> {
  const { text } = await bucket.ask({ method: 'POST', name, query: { uploads: '' } });
  const id = textOf(text, 'UploadId');
  if (id === undefined)
    throw new Failure('unavailable', 'S3_FAILED', `${bucket.address.name} began an upload without an ID`);
  return id;
}

/** Stores a part, numbered from 1; its ETag. Throws `data-loss` when the upload is not there any more. */
export async function putPart(
  bucket: Bucket,
  { name, id }: UnfinishedUpload,
  number: number,
  body: readonly Buffer[],
): Promise<string> {
  const query = { partNumber: String(number), uploadId: id };
  const { status, headers } = await bucket.ask({ method: 'PUT', name, query, body }, [404]);
  if (status === 404) throw lost(name);
  return etagOf(headers.etag);
}

export function lost(name: string): Failure {
  return new Failure('data-loss', 'S3_CHANGED', `object ${name} is not what was stored`);
}

function etagOf(etag: string | undefined): string {
  if (etag === undefined) throw new Failure('unavailable', 'S3_FAILED', 'the object store gave no ETag');
  return etag;
}
