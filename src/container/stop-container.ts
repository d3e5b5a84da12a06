import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../lib/error.ts';
import { signalNumber } from '../lib/signal-number.ts';
import { timerDelay } from '../lib/timer-delay.ts';
import type { Container } from './container.ts';
import { type LifecycleNeeds, signalContainer } from './lifecycle.ts';
import { isAlive } from './record.ts';

export interface StopOptions {
  /** Until SIGKILL; undefined is the container's own, -1 never. */
  readonly seconds: number | undefined;
  /** Undefined is the container's own. */
  readonly signalName: string | undefined;
  /** Whether `unless-stopped` is to leave it so. */
  readonly byUser?: boolean;
  readonly signal: AbortSignal;
}

type StopNeeds = Pick<LifecycleNeeds, 'runtime' | 'save' | 'emit'>;

const DEFAULT_STOP_SECONDS = 10;
const SIGKILL = 9;
const SIGTERM = 15;

/**
 * Ends a run, and a wait for the next one by the restart policy; false when there was neither. Not in turn: others may go on
 * with the container while its program takes its time to end.
 */
export async function stopContainer(container: Container, needs: StopNeeds, options: StopOptions): Promise<boolean> {
  container.stops++;
  try {
    const { run, wasAlive } = await container.inTurn(() => beginStop(container, needs, options));
    if (!run) return wasAlive;
    const seconds = options.seconds ?? container.record.config.StopTimeout ?? DEFAULT_STOP_SECONDS;
    const timer = new AbortController();
    const late = sleep(timerDelay(seconds * 1000), 'late', { signal: timer.signal }).catch(() => undefined);
    const answer = await (seconds < 0 ? run.settled : Promise.race([run.settled, late]));
    timer.abort();
    if (answer === 'late')
      await container.inTurn(async () => {
        if (container.run === run) await killContainer(container, needs, options);
      });
    return true;
  } finally {
    container.stops--;
  }
}

async function beginStop(container: Container, needs: StopNeeds, options: StopOptions) {
  const wasAlive = isAlive(container.record.phase) || container.record.phase.status === 'restarting';
  if (options.byUser) noteStopByUser(container, needs);
  clearTimeout(container.restartTimer);
  if (container.record.phase.status === 'restarting')
    container.record = { ...container.record, phase: { ...container.record.phase, status: 'exited' } };
  const { run } = container;
  if (run) {
    const first = options.signalName ? signalNumber(options.signalName) : stopSignalOf(container);
    await sendSignal(container, first, needs, options);
  }
  return { run, wasAlive };
}

/** Ends a run at once; call it in turn. Resolves when everything is released. */
export async function killContainer(
  container: Container,
  needs: StopNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { run } = container;
  await sendSignal(container, SIGKILL, needs, options);
  await run?.settled;
}

/** `kill`: sends one signal (SIGKILL by default) to the first process. */
export async function signalByUser(
  container: Container,
  signalName: string | undefined,
  needs: StopNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const signal = signalName ? signalNumber(signalName) : SIGKILL;
  if (!isAlive(container.record.phase))
    throw new Failure('conflict', 'NOT_RUNNING', `container ${container.id} is not running`);
  if (signal === SIGKILL || signal === stopSignalOf(container)) noteStopByUser(container, needs);
  await sendSignal(container, signal, needs, options);
}

/** `unless-stopped` does not start it again. */
export function noteStopByUser(container: Container, needs: Pick<StopNeeds, 'save'>): void {
  container.record = { ...container.record, stoppedByUser: true };
  needs.save(container);
}

async function sendSignal(
  container: Container,
  signal: number,
  needs: StopNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  signalContainer(container, signal);
  needs.emit(container, 'kill', { signal: String(signal) });
  if (signal === SIGKILL && container.record.phase.status === 'paused') {
    await needs.runtime.resume(container.id, options); // frozen processes do not die
  }
}

function stopSignalOf(container: Container): number {
  const { StopSignal } = container.record.config;
  return StopSignal ? signalNumber(StopSignal) : SIGTERM;
}
