export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * Says one thing to the client. The promise resolves when there is room for more, and never rejects (a client that
 * has gone is told by `signal`). Who makes output without bound awaits it; who says a few things need not.
 */
export type Emit<T> = (value: T) => Promise<void>;
