import { MessageChannel } from 'node:worker_threads';
import { cancelled } from '../lib/error.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import { sendStream } from './port-stream.ts';
import type { StreamTaskInput } from './stream-from-worker.ts';

/**
 * Runs a task of a worker thread on a stream of bytes, which `receiveStream` gives it, and returns what the task returns.
 * After a failure the source is closed when it next gives a chunk; an owner who does not want to wait for that destroys it.
 */
export async function feedWorker<Output, Request extends object>(
  pool: WorkerPool,
  task: string,
  source: AsyncIterable<Uint8Array>,
  request: Request,
  options: { readonly signal: AbortSignal; readonly onMessage?: (message: unknown) => void },
): Promise<Output> {
  const { port1: near, port2: far } = new MessageChannel();
  const stop = new AbortController();
  const input: StreamTaskInput<Request> = { ...request, port: far };
  const work = pool.run<Output>(task, input, { ...options, transfer: [far] });
  const feeding = sendStream(source, near, stop.signal);
  let sourceError: unknown;
  feeding.catch((error: unknown) => {
    sourceError = error;
  });
  try {
    const output = await work;
    await feeding;
    return output;
  } catch (error) {
    if (options.signal.aborted) throw cancelled(options.signal);
    throw sourceError ?? error;
  } finally {
    stop.abort();
    near.close();
  }
}
