import { type Transferable, Worker } from 'node:worker_threads';
import { cancelled, type ErrorKind, Failure } from './error.ts';

/**
 * A few worker threads that run named tasks. A worker script calls `serveTasks` (worker-task.ts). Tasks queue when
 * all workers are busy. An aborted task's worker is told through its own signal, and the promise rejects at once.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #url: URL;
  readonly #width: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor(url: URL, width: number) {
    this.#url = url;
    this.#width = width;
  }

  /**
   * Runs `task` with `input` (structured clone; `transfer` as in postMessage). Failures thrown in the worker arrive as
   * Failures. `onMessage` receives what the task posts through its `post`.
   */
  async run<Output>(
    task: string,
    input: unknown,
    options: { signal: AbortSignal; transfer?: readonly Transferable[]; onMessage?: (message: unknown) => void },
  ): Promise<Output> {
    if (options.signal.aborted) throw cancelled(options.signal);
    const worker = await this.#acquire();
    let broken = false;
    try {
      return await new Promise<Output>((resolve, reject) => {
        const finish = () => {
          worker.off('message', onMessage);
          worker.off('error', onError);
          worker.off('exit', onExit);
          options.signal.removeEventListener('abort', onAbort);
        };
        const onMessage = (message: WorkerReply) => {
          if (message.kind === 'message') return options.onMessage?.(message.value);
          finish();
          if (message.kind === 'done')
            resolve(message.value as Output); // the task's own type, stated by the caller
          else reject(options.signal.aborted ? cancelled(options.signal) : revive(message.error));
        };
        const onError = (error: unknown) => {
          broken = true;
          finish();
          reject(error);
        };
        const onExit = (code: number) =>
          onError(new Failure('internal', 'WORKER_EXIT', `worker ended with code ${code}`));
        const onAbort = () => worker.postMessage({ kind: 'abort' });
        worker.on('message', onMessage);
        worker.on('error', onError);
        worker.on('exit', onExit);
        options.signal.addEventListener('abort', onAbort, { once: true });
        worker.postMessage({ kind: 'run', task, input }, [...(options.transfer ?? [])]);
        if (options.signal.aborted) onAbort();
      });
    } finally {
      if (broken) {
        this.#all.delete(worker);
        await worker.terminate();
        if (this.#waiting.length > 0) this.#release(this.#start());
      } else this.#release(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
    this.#all.clear();
  }

  #start(): Worker {
    // Tasks close what they open; Node cannot follow descriptors that system calls open.
    const options = { resourceLimits: { maxYoungGenerationSizeMb: 6 }, trackUnmanagedFds: false };
    const worker = new Worker(this.#url, options);
    worker.setMaxListeners(0);
    worker.unref();
    this.#all.add(worker);
    return worker;
  }

  #acquire(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle) return Promise.resolve(idle);
    if (this.#all.size < this.#width) return Promise.resolve(this.#start());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next) next(worker);
    else this.#idle.push(worker);
  }
}

export interface PlainError {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

export type WorkerReply =
  | { readonly kind: 'message'; readonly value: unknown }
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: PlainError };

function revive(error: PlainError): Failure {
  const detail = error.hint === undefined ? {} : { hint: error.hint };
  const failure = new Failure(error.kind, error.code, error.message, detail);
  if (error.kind === 'internal' && error.stack !== undefined) failure.stack = error.stack;
  return failure;
}
