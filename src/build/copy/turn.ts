import { cancelled } from '../../lib/error.ts';

/** How long a thread may work before it looks for messages; milliseconds. */
const LENGTH = 50;

/** Blocking work in turns, between which the thread hears of an abort. */
export class Turn {
  readonly #signal: AbortSignal;
  #start = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  isOver(): boolean {
    return performance.now() - this.#start > LENGTH;
  }

  /** Ends a turn and starts the next; throws when the work was aborted. */
  async pass(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#signal.aborted) throw cancelled(this.#signal);
    this.#start = performance.now();
  }
}
