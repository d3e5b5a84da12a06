import type { MessagePort } from 'node:worker_threads';
import { cancelled } from '../lib/error.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import type { LayerFacts } from '../store/layers.ts';
import { type ApplyProgress, type ApplyRequest, applyStream } from './apply-stream.ts';
import { feedWorker } from './feed-worker.ts';
import { receiveStream } from './port-stream.ts';

/**
 * Unpacks a tar stream in a worker thread, see `applyStream` and `feedWorker`.
 */
export async function applyTar(
  pool: WorkerPool,
  source: AsyncIterable<Uint8Array>,
  request: ApplyRequest,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: ApplyProgress) => void },
): Promise<LayerFacts> {
  const { signal, onProgress } = options;
  return feedWorker<LayerFacts, Omit<ApplyTask, 'port'>>(
    pool,
    'apply-tar',
    source,
    { request },
    {
      signal,
      ...(onProgress && { onMessage: (message: unknown) => onProgress(message as ApplyProgress) }), // posted by applyTask
    },
  );
}

export interface ApplyTask {
  readonly port: MessagePort;
  readonly request: ApplyRequest;
}

/** The part in the worker. */
export async function applyTask({ port, request }: ApplyTask, { signal, post }: TaskContext): Promise<LayerFacts> {
  const facts = await applyStream(receiveStream(port, signal, 'lent'), request, { signal, onProgress: post });
  if (signal.aborted) throw cancelled(signal);
  return facts;
}
