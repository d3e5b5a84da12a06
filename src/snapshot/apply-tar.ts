import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { cancelled } from '../lib/error.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import type { LayerFacts } from '../store/layers.ts';
import { type ApplyProgress, type ApplyRequest, applyStream } from './apply-stream.ts';
import { receiveStream, sendStream } from './port-stream.ts';

/**
 * Unpacks a tar stream in a worker thread, see `applyStream`. After a failure the source is closed when it next gives a
 * chunk; an owner who does not want to wait for that destroys it.
 */
export async function applyTar(
  pool: WorkerPool,
  source: AsyncIterable<Uint8Array>,
  request: ApplyRequest,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: ApplyProgress) => void },
): Promise<LayerFacts> {
  const { port1: near, port2: far } = new MessageChannel();
  const stop = new AbortController();
  const { onProgress } = options;
  const input: ApplyTask = { port: far, request };
  const work = pool.run<LayerFacts>('apply-tar', input, {
    signal: options.signal,
    transfer: [far],
    ...(onProgress && { onMessage: (message: unknown) => onProgress(message as ApplyProgress) }), // posted by applyTask
  });
  const feeding = sendStream(source, near, stop.signal);
  let sourceError: unknown;
  feeding.catch((error: unknown) => {
    sourceError = error;
  });
  try {
    const facts = await work;
    await feeding;
    return facts;
  } catch (error) {
    if (options.signal.aborted) throw cancelled(options.signal);
    throw sourceError ?? error;
  } finally {
    stop.abort();
    near.close();
  }
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
