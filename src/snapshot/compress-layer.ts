import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { cancelled } from '../lib/error.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import { gzipMembers } from '../tar/gzip-members.ts';
import { packPieces } from '../tar/pack-layer.ts';
import { receiveStream, sendStream } from './port-stream.ts';

export interface LayerFiles {
  readonly index: string;
  readonly tree: string;
}

/**
 * The gzip of a layer's tar, packed in a worker thread and compressed by all processors. Equal layers give equal bytes.
 * What is missing of the tree is a Failure of kind `data-loss`.
 */
export async function* compressLayer(
  pool: WorkerPool,
  files: LayerFiles,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const { port1: near, port2: far } = new MessageChannel();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const input: CompressTask = { port: far, files };
  const work = pool.run<void>('compress-layer', input, { signal: both, transfer: [far] });
  let problem: unknown;
  const ended = work.catch((error: unknown) => {
    problem = error;
    stop.abort();
  });
  try {
    yield* receiveStream(near, both);
    await work;
    if (signal.aborted) throw cancelled(signal); // what had arrived may not have been all
  } catch (error) {
    await ended;
    if (signal.aborted) throw cancelled(signal);
    throw problem ?? error;
  } finally {
    stop.abort();
    near.close();
    await ended;
  }
}

export interface CompressTask {
  readonly port: MessagePort;
  readonly files: LayerFiles;
}

/** The part in the worker. */
export async function compressTask({ port, files }: CompressTask, { signal }: TaskContext): Promise<void> {
  await sendStream(gzipMembers(packPieces(files.index, files.tree)), port, signal);
  if (signal.aborted) throw cancelled(signal);
}
