import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, read, readSync } from 'node:fs';
import { type FileHandle, link, open, opendir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure, systemCode } from '../lib/error.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { type BlobKey, type BlobReader, type BlobStorage, type BlobWriter, blobKey } from './blob-storage.ts';

const BATCH = 1 << 20;
const SHARDS = 256;
/** A read that takes longer may have waited for the disk. Milliseconds. */
const SLOW = 2;
/** Reads after such a one that are left to threads. */
const READS_BY_THREADS = 8;

/** Blobs as files; one that lies elsewhere on the file system can be taken in. */
export interface FileBlobs extends BlobStorage {
  /** Gives the file at `path` the name of a key too, durably. Its bytes must never change. */
  adopt(key: BlobKey, path: string): Promise<void>;
}

/** Blobs as files of one folder, spread over 256 folders by the first two letters of their keys. */
export function openFileBlobs(root: string): FileBlobs {
  makeFolder(root, 0o700);
  const shardFolder = (shard: number) => join(root, shard.toString(16).padStart(2, '0'));
  if (!existsSync(shardFolder(SHARDS - 1)))
    for (let shard = 0; shard < SHARDS; shard++) mkdirSync(shardFolder(shard), { recursive: true, mode: 0o700 });
  const path = (key: BlobKey) => join(root, key.slice(0, 2), key);
  const explained = (error: unknown) => diskFailure(error, root);
  const opened = async (key: BlobKey): Promise<BlobReader | undefined> => {
    try {
      return fileReader(openSync(path(key), 'r'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  };

  return {
    async write(key, progress) {
      try {
        const handle = await open(path(key), constants.O_WRONLY | constants.O_CREAT, 0o600);
        if (progress.size > 0) await handle.truncate(progress.size);
        return fileWriter(handle, progress.size, explained);
      } catch (error) {
        throw explained(error);
      }
    },
    async finish(key, { size }) {
      try {
        // An empty upload may have no file yet.
        await using handle = await open(path(key), constants.O_WRONLY | constants.O_CREAT, 0o600);
        const { size: found } = await handle.stat();
        if (found < size) throw new Failure('data-loss', 'UPLOAD_SHORT', `upload ${key} has ${found} of ${size} bytes`);
        if (found > size) await handle.truncate(size);
        await handle.sync();
        return true;
      } catch (error) {
        throw explained(error);
      }
    },
    async adopt(key, from) {
      try {
        await link(from, path(key));
      } catch (error) {
        if (systemCode(error) !== 'EXDEV') throw explained(error);
        throw new Failure('invalid', 'OTHER_FILE_SYSTEM', `${from} and ${root} are not on one file system`, {
          hint: 'put the data folder where the files are: they get a second name there and are not copied',
        });
      }
      await using folder = await open(dirname(path(key)), constants.O_RDONLY | constants.O_DIRECTORY);
      await folder.sync();
    },
    open: opened,
    openUnfinished: opened,
    async delete(key) {
      try {
        await unlink(path(key));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    },
    async *list() {
      for (let shard = 0; shard < SHARDS; shard++)
        for await (const entry of await opendir(shardFolder(shard))) if (entry.isFile()) yield blobKey(entry.name);
    },
  };
}

/** Gathers chunks and writes a MiB at a time, while the next ones arrive. */
function fileWriter(handle: FileHandle, start: number, explained: (error: unknown) => unknown): BlobWriter {
  let chunks: Buffer[] = [];
  let gathered = 0;
  let written = start;
  let failure: unknown;
  let running: Promise<void> = Promise.resolve();

  const flush = (): Promise<void> => {
    const batch = chunks;
    chunks = [];
    gathered = 0;
    const before = running;
    running = before.then(async () => {
      if (failure !== undefined || batch.length === 0) return;
      try {
        for await (const size of writeVector(handle, batch, written)) written += size;
      } catch (error) {
        failure = explained(error);
      }
    });
    return before;
  };

  return {
    write(chunk) {
      chunks.push(chunk);
      gathered += chunk.length;
      if (gathered < BATCH) return undefined;
      return flush().then(() => {
        if (failure !== undefined) throw failure;
      });
    },
    async close() {
      flush();
      await running;
      await handle.close();
      if (failure !== undefined) throw failure;
      return { size: written, resume: '' };
    },
  };
}

async function* writeVector(handle: FileHandle, batch: readonly Buffer[], position: number): AsyncGenerator<number> {
  const { bytesWritten } = await handle.writev(batch, position);
  yield bytesWritten;
  let skip = bytesWritten;
  let at = position + bytesWritten;
  for (const chunk of batch) {
    let done = Math.min(skip, chunk.length);
    skip -= done;
    for (; done < chunk.length; ) {
      const { bytesWritten: more } = await handle.write(chunk, done, chunk.length - done, at);
      done += more;
      at += more;
      yield more;
    }
  }
}

/**
 * Reads at once what the kernel has in memory, which costs less than to have a thread do it. After a read that had to wait for the
 * disk the next ones are done by threads, so that nothing else has to wait for them.
 */
function fileReader(file: number): BlobReader {
  let size: number;
  try {
    size = fstatSync(file).size;
  } catch (error) {
    closeSync(file);
    throw error;
  }
  let byThreads = 0;
  return {
    size,
    read(buffer, offset, length) {
      if (byThreads > 0) {
        byThreads--;
        return readByThread(file, buffer, offset, length);
      }
      const start = performance.now();
      const bytes = readSync(file, buffer, 0, length, offset);
      if (performance.now() - start > SLOW && hasReadDisk()) byThreads = READS_BY_THREADS;
      return bytes;
    },
    async [Symbol.asyncDispose]() {
      closeSync(file);
    },
  };
}

let blocksRead = 0;

/** Whether this process has read from a disk since the last call: a slow read may also have waited for its turn alone. */
function hasReadDisk(): boolean {
  const before = blocksRead;
  blocksRead = process.resourceUsage().fsRead;
  return blocksRead !== before;
}

function readByThread(file: number, buffer: Buffer, offset: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, buffer, 0, length, offset, (error, bytes) => (error ? reject(error) : resolve(bytes)));
  });
}

function diskFailure(error: unknown, root: string): unknown {
  const code = systemCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new Failure('exhausted', 'DISK_FULL', `no space left in ${root}`, { cause: error });
}
