import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { cancelled } from '../lib/error.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import { receiveStream } from './port-stream.ts';

/** What a task that answers with a stream gets: `sendStream` sends it through the port. */
export type StreamTaskInput<Request> = Request & { readonly port: MessagePort };

/**
 * The bytes that a task of a worker thread sends. What the task throws is thrown here; a consumer that stops early
 * stops the task.
 */
export async function* streamFromWorker<Request extends object>(
  pool: WorkerPool,
  task: string,
  request: Request,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const { port1: near, port2: far } = new MessageChannel();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const input: StreamTaskInput<Request> = { ...request, port: far };
  const work = pool.run<void>(task, input, { signal: both, transfer: [far] });
  let problem: unknown;
  const ended = work.catch((error: unknown) => {
    problem = error;
    stop.abort();
  });
  try {
    yield* receiveStream(near, both, 'given');
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
