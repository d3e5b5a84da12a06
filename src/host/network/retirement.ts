import { messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';

/** How long no container may come or go before the interfaces of ended ones are taken down. */
const QUIET_MS = 250;
/** So many of them are taken down at once, quiet or not. */
const LIMIT = 100;

/**
 * Takes the interfaces of ended containers down when no container has come or gone for a moment: that holds the kernel's
 * network lock for long, and a build's next step would wait for it.
 */
export class Retirement {
  readonly #log: Log;
  #waiting: (() => Promise<void>)[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(takeDown: () => Promise<void>): void {
    this.#waiting.push(takeDown);
    this.postpone();
  }

  /** A container comes or goes. */
  postpone(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.length >= LIMIT) void this.finish();
    else if (this.#waiting.length > 0) this.#timer = setTimeout(() => void this.finish(), QUIET_MS).unref();
  }

  /** Takes all down now; resolves when none is on its way any more. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    for (const takeDown of this.#waiting.splice(0)) {
      const ending = takeDown()
        .catch((error: unknown) => {
          this.#log.warn('cannot take down the network of a container', { reason: messageOf(error) });
        })
        .finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    }
    await Promise.all(this.#ending);
  }
}
