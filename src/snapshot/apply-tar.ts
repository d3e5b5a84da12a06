import { cancelled } from '../lib/error.ts';
import { type FileRange, isFileRange, readRange } from '../lib/file-range.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import type { LayerFacts } from '../store/layers.ts';
import { type ApplyProgress, type ApplyRequest, applyStream } from './apply-stream.ts';
import { feedWorker } from './feed-worker.ts';
import { receiveStream } from './port-stream.ts';
import type { StreamTaskInput } from './stream-from-worker.ts';

/** Unpacks a tar in a worker thread, see `applyStream` and `feedWorker`. One in a file is read by that thread itself. */
export async function applyTar(
  pool: WorkerPool,
  source: AsyncIterable<Uint8Array> | FileRange,
  request: ApplyRequest,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: ApplyProgress) => void },
): Promise<LayerFacts> {
  const { signal, onProgress } = options;
  const listening = {
    signal,
    ...(onProgress && { onMessage: (message: unknown) => onProgress(message as ApplyProgress) }), // posted by applyTask
  };
  if (!isFileRange(source))
    return feedWorker<LayerFacts, ApplyInput>(pool, 'apply-tar', source, { request }, listening);
  const input: ApplyTask = { source, request };
  return pool.run<LayerFacts>('apply-tar', input, listening);
}

interface ApplyInput {
  readonly request: ApplyRequest;
}

type ApplyTask = StreamTaskInput<ApplyInput> | (ApplyInput & { readonly source: FileRange });

/** The part in the worker. */
export async function applyTask(task: ApplyTask, { signal, post }: TaskContext): Promise<LayerFacts> {
  const source = 'port' in task ? receiveStream(task.port, signal, 'lent') : readRange(task.source);
  const facts = await applyStream(source, task.request, { signal, onProgress: post });
  if (signal.aborted) throw cancelled(signal);
  return facts;
}
