import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled, Failure, isFailure } from '../lib/error.ts';

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Tries at most, the first one included. Default 5. */
  readonly tries?: number;
  /** Milliseconds before the second try; doubled for each further one. Default 250. */
  readonly delay?: number;
  /** Told before each wait, in milliseconds. */
  readonly onPause?: ((milliseconds: number) => void) | undefined;
}

const TRIES = 5;
const DELAY_MS = 250;
const LONGEST_MS = 30_000;
/** Kinds of trouble that time may cure: a registry that refuses connections is one that starts again, if it was there before. */
const PASSING: ReadonlySet<string> = new Set([
  'REGISTRY_UNREACHABLE',
  'REGISTRY_REFUSED',
  'REGISTRY_TIMEOUT',
  'REGISTRY_BUSY',
]);

/** A registry that asks for another try later. */
export class RegistryBusy extends Failure {
  /** Milliseconds; undefined when the registry does not say. */
  readonly after: number | undefined;

  constructor(message: string, after: number | undefined) {
    super('unavailable', 'REGISTRY_BUSY', message);
    this.after = after;
  }
}

export const isPassing = (error: unknown): boolean => isFailure(error) && PASSING.has(error.code);

/** Does it again, ever later and a little at random, while it fails for reasons that pass. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!isPassing(error) || attempt + 1 >= (options.tries ?? TRIES)) throw error;
      await pause(error, attempt, options);
    }
  }
}

/** Waits before another try after `error`. */
export async function pause(error: unknown, attempt: number, options: RetryOptions): Promise<void> {
  const delay = (options.delay ?? DELAY_MS) * 2 ** attempt;
  const asked = error instanceof RegistryBusy ? (error.after ?? 0) : 0;
  const wait = Math.min(LONGEST_MS, Math.max(asked, delay * (0.75 + Math.random() / 2)));
  options.onPause?.(wait);
  await sleep(wait, undefined, { signal: options.signal }).catch(() => {
    throw cancelled(options.signal);
  });
}
