/**
 * Collects what was acquired and releases it in reverse order. Every release runs even when an earlier one throws;
 * the errors are then thrown together. `await using scope = new Scope()`.
 */
export class Scope implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  /** Adopts a resource; returns it. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** Registers a release. */
  defer(release: () => void | Promise<void>): void {
    this.#stack.defer(release);
  }

  /** Gives up ownership: what was collected now belongs to the returned scope, and this one releases nothing. */
  move(): Scope {
    const moved = new Scope();
    const inner = this.#stack.move();
    moved.defer(() => inner.disposeAsync());
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
