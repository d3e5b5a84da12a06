import type { BlobWriter, UploadProgress } from '../blob-storage.ts';
import type { Bucket } from './bucket.ts';
import { beginUpload, deleteObject, getObject, headObject, putObject, putPart } from './objects.ts';
import { partSize, readStage, type Stage, writeStage } from './stage.ts';

/** The object with the bytes after the last whole part. Those before it are still needed until the next state is on record. */
export function restName(name: string, number: number): string {
  return number === 0 ? name : `${name}.${number}`;
}

/** Sends part after part of an object, one while the next arrives: twice the size of a part is in memory. */
export async function openPartWriter(bucket: Bucket, name: string, progress: UploadProgress): Promise<BlobWriter> {
  let stage: Stage = readStage(progress.resume);
  const { rest } = stage;
  let chunks: Buffer[] = rest ? [await getObject(bucket, restName(name, rest.number), rest)] : [];
  let gathered = rest?.size ?? 0;
  let begun = stage.parts.length;
  let written = progress.size;
  let failure: unknown;
  let running: Promise<void> = Promise.resolve();
  // What is on record names a later one.
  if (rest && rest.number > 1) await deleteObject(bucket, restName(name, rest.number - 1));

  const sendPart = async (part: readonly Buffer[]): Promise<void> => {
    const id = stage.id ?? (await beginUpload(bucket, name));
    stage = { ...stage, id };
    const etag = await putPart(bucket, { name, id }, stage.parts.length + 1, part);
    stage = { ...stage, parts: [...stage.parts, etag] };
  };
  const flush = async (): Promise<void> => {
    while (gathered >= partSize(begun + 1)) {
      begun++;
      const [part, more] = cut(chunks, partSize(begun));
      chunks = more;
      gathered -= partSize(begun);
      await running;
      if (failure !== undefined) throw failure;
      running = sendPart(part).catch((error) => {
        failure = error;
      });
    }
  };
  const storeRest = async (): Promise<void> => {
    const { rest: before, ...others } = stage;
    stage = others;
    if (gathered === 0) return;
    const size = gathered;
    // All of a small blob: it need not be stored again.
    const isFirst = before === undefined && stage.id === undefined;
    const etag = isFirst ? await putObject(bucket, name, chunks, true) : undefined;
    if (etag !== undefined) {
      stage = { ...stage, rest: { number: 0, size, etag }, early: etag };
      return;
    }
    const early = isFirst ? (await headObject(bucket, name))?.etag : stage.early; // of somebody who was cut off
    const number = (before?.number ?? 0) + 1;
    const own = await putObject(bucket, restName(name, number), chunks);
    if (own !== undefined)
      stage = { ...stage, ...(early !== undefined && { early }), rest: { number, size, etag: own } };
  };

  return {
    write(chunk) {
      chunks.push(chunk);
      gathered += chunk.length;
      written += chunk.length;
      return gathered < partSize(begun + 1) ? undefined : flush();
    },
    async close() {
      await running;
      if (failure !== undefined) throw failure;
      if (written === progress.size) return progress;
      await storeRest();
      return { size: written, resume: writeStage(stage) };
    },
  };
}

/** The first `size` bytes and those after them. */
export function cut(chunks: readonly Buffer[], size: number): [Buffer[], Buffer[]] {
  const first: Buffer[] = [];
  let missing = size;
  for (const [index, chunk] of chunks.entries()) {
    if (missing === 0) return [first, chunks.slice(index)];
    if (chunk.length > missing)
      return [
        [...first, chunk.subarray(0, missing)],
        [chunk.subarray(missing), ...chunks.slice(index + 1)],
      ];
    first.push(chunk);
    missing -= chunk.length;
  }
  return [first, []];
}
