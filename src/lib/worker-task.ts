import { getHeapStatistics } from 'node:v8';
import { parentPort } from 'node:worker_threads';
import { Failure, isFailure, messageOf, systemCode } from './error.ts';
import type { PlainError, WorkerReply } from './worker-pool.ts';

export interface TaskContext {
  readonly signal: AbortSignal;
  /** Sends a message to the caller's `onMessage`. */
  post(value: unknown): void;
}

/** A task receives its structured-cloned input; the table of tasks states each input's real type. */
// biome-ignore lint/suspicious/noExplicitAny: the input crosses a thread; the pool's caller and the task agree on it
export type Task = (input: any, context: TaskContext) => unknown;

/** Serves the tasks of a worker script, one at a time. Call once, at the top of the script. */
export function serveTasks(tasks: Readonly<Record<string, Task>>): void {
  const port = parentPort;
  if (!port) throw new Error('serveTasks runs in a worker thread only');
  let controller = new AbortController();
  const garbage = new GarbageCollector();
  const reply = (message: WorkerReply) => port.postMessage(message);
  port.on('message', async (message: { kind: 'run'; task: string; input: unknown } | { kind: 'abort' }) => {
    if (message.kind === 'abort') {
      controller.abort(new Failure('cancelled', 'CANCELLED', 'the operation was cancelled'));
      return;
    }
    controller = new AbortController();
    garbage.taskStarts();
    try {
      const task = tasks[message.task];
      if (!task) throw new Failure('internal', 'NO_SUCH_TASK', `worker has no task "${message.task}"`);
      const value = await task(message.input, {
        signal: controller.signal,
        post: (posted) => reply({ kind: 'message', value: posted }),
      });
      reply({ kind: 'done', value });
    } catch (error) {
      reply({ kind: 'failed', error: plain(error) });
    }
    garbage.taskEnded();
  });
}

/** A heap below this size is left as it is; bytes. */
const SMALL_HEAP = 24 << 20;
/** A worker without a task for so long is idle; milliseconds. */
const IDLE_MS = 50;

/** Collects what a large task left in an idle worker: V8 itself would do so only when the next one needs the room. */
class GarbageCollector {
  #timer: NodeJS.Timeout | undefined;

  taskStarts(): void {
    clearTimeout(this.#timer);
  }

  taskEnded(): void {
    const { gc } = globalThis; // with --expose-gc
    if (!gc) return;
    const collect = () => {
      const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
      // The last resort gives the memory back too, instead of keeping it for what comes.
      if (heap + external > SMALL_HEAP) gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    };
    this.#timer = setTimeout(collect, IDLE_MS).unref();
  }
}

function plain(error: unknown): PlainError {
  if (isFailure(error)) {
    return { kind: error.kind, code: error.code, message: error.message, hint: error.hint, stack: error.stack };
  }
  const kind = systemCode(error) === 'ENOSPC' ? 'exhausted' : 'internal';
  return {
    kind,
    code: systemCode(error) ?? 'INTERNAL',
    message: messageOf(error),
    hint: undefined,
    stack: error instanceof Error ? error.stack : undefined,
  };
}
