/** Things by name that are opened for their first user and closed after the last one; in turn, for each of them. */
export class SharedUses {
  readonly #counts = new Map<string, number>();
  readonly #turns = new Map<string, Promise<void>>();

  /** Counts one more user; when it is the first, after `open`. */
  begin(name: string, open: () => Promise<void>): Promise<void> {
    return this.#inTurn(name, async () => {
      if (!this.#counts.has(name)) await open();
      this.add(name);
    });
  }

  /** Counts one more user of what is open already. */
  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Counts one user less, and calls `close` after the last. Nothing when there is none. */
  end(name: string, close: () => Promise<void>): Promise<void> {
    return this.#inTurn(name, async () => {
      const left = (this.#counts.get(name) ?? 0) - 1;
      if (left > 0) this.#counts.set(name, left);
      else if (this.#counts.delete(name)) await close();
    });
  }

  #inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work);
    const settled = turn
      .catch(() => {}) // told to the caller
      .finally(() => {
        if (this.#turns.get(name) === settled) this.#turns.delete(name);
      });
    this.#turns.set(name, settled);
    return turn;
  }
}
