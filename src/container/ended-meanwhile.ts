import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../lib/error.ts';
import { type Container, notRunning, type Run } from './container.ts';

/** How long the host may take to hear of an end that the runtime has met already. */
const NOTICE_MS = 200;

/** What to tell of a runtime that failed on a running container: that it does not run, when it ended under the runtime's hands. */
export async function orNotRunning(container: Container, run: Run, error: unknown): Promise<unknown> {
  if (!isFailure(error, 'internal')) return error;
  const ended = () => true;
  const exited = run.launched.process.exited.then(ended, ended);
  return (await Promise.race([exited, delay(NOTICE_MS, false, { ref: false })])) ? notRunning(container) : error;
}
