import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Runtime } from '../host/runtime.ts';
import type { Container, Run } from './container.ts';
import { type PreparedProcess, prepareExec } from './start-process.ts';

interface Preparation {
  readonly container: Container;
  readonly run: Run;
  /** Undefined when the runtime could not be started. */
  readonly process: Promise<PreparedProcess | undefined>;
  readonly timer: NodeJS.Timeout;
}

/** A client that starts what it has created does so within milliseconds. */
const GIVEN_UP_MS = 1000;
/** How many wait at a time. Further ones are started without preparation. */
const LIMIT = 4;

/**
 * For execs that have been created: the runtime is started at once, so that it has loaded when the client asks for the
 * start, one round trip later. Nothing of it is seen in the container. What nobody takes is given up after a second.
 */
export class ExecPreparations implements AsyncDisposable {
  readonly #needs: { readonly runtime: Runtime; readonly runFolder: string };
  readonly #waiting = new Map<string, Preparation>();
  readonly #closing = new AbortController();

  constructor(needs: { readonly runtime: Runtime; readonly runFolder: string }) {
    this.#needs = needs;
  }

  /** Begins to prepare the exec `id` in a running container, when the answer to the client has gone. */
  begin(id: string, container: Container, streams: { readonly tty: boolean; readonly stdin: boolean }): void {
    if (this.#waiting.size >= LIMIT || this.#closing.signal.aborted) return;
    const oomScoreAdj = container.record.hostConfig.OomScoreAdj ?? 0;
    const options = { ...this.#needs, ...streams, id: container.id, oomScoreAdj, signal: this.#closing.signal };
    const process = nextTurn()
      .then(() => prepareExec(options))
      .catch(() => undefined); // started without preparation it says why
    const timer = setTimeout(() => void this.discard(id), GIVEN_UP_MS);
    this.#waiting.set(id, { container, run: container.running(), process, timer });
  }

  /** What was prepared for the exec `id`, now the caller's; undefined when there is nothing, or the container has changed. */
  async take(id: string): Promise<PreparedProcess | undefined> {
    const preparation = this.#remove(id);
    const process = await preparation?.process;
    if (preparation === undefined || process === undefined) return undefined;
    const { container, run } = preparation;
    if (container.run === run && container.record.phase.status === 'running' && !process.hasEnded) return process;
    await process[Symbol.asyncDispose]();
    return undefined;
  }

  /** Idempotent. */
  async discard(id: string): Promise<void> {
    const process = await this.#remove(id)?.process;
    await process?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#waiting.keys()].map((id) => this.discard(id)));
  }

  #remove(id: string): Preparation | undefined {
    const preparation = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(preparation?.timer);
    return preparation;
  }
}
