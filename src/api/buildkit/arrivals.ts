/** How long somebody waits for what another connection is just bringing. */
const WAIT_MS = 5000;

/** Things by ID that one connection brings and another asks for, maybe a moment earlier. */
export class Arrivals<T> {
  readonly #here = new Map<string, T>();
  readonly #waiting = new Set<() => void>();

  /** What is there now. */
  get(id: string): T | undefined {
    return this.#here.get(id);
  }

  /** Until the answer is disposed, or another thing comes under the ID. */
  add(id: string, thing: T): Disposable {
    this.#here.set(id, thing);
    for (const look of [...this.#waiting]) look();
    return {
      [Symbol.dispose]: () => {
        if (this.#here.get(id) === thing) this.#here.delete(id);
      },
    };
  }

  /** Waits some seconds for what is not there; then it is undefined. Throws the reason of the signal. */
  async find(id: string, { signal }: { readonly signal: AbortSignal }): Promise<T | undefined> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const look = () => {
      if (this.#here.has(id)) resolve(this.#here.get(id));
    };
    const stop = () => reject(signal.reason);
    const timer = setTimeout(() => resolve(undefined), WAIT_MS);
    this.#waiting.add(look);
    signal.addEventListener('abort', stop, { once: true });
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
      signal.removeEventListener('abort', stop);
    }
  }
}
