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
  const reply = (message: WorkerReply) => port.postMessage(message);
  port.on('message', async (message: { kind: 'run'; task: string; input: unknown } | { kind: 'abort' }) => {
    if (message.kind === 'abort') {
      controller.abort(new Failure('cancelled', 'CANCELLED', 'the operation was cancelled'));
      return;
    }
    controller = new AbortController();
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
  });
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
