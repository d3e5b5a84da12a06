/** What is known of a request when its answer has ended. */
export interface Served {
  readonly method: string;
  /** Without the query, which may hold names of users. */
  readonly path: string;
  /** What kind of place the path named: `manifest`, `blob`, `upload`, ... */
  readonly route: string;
  readonly status: number;
  readonly user: string | undefined;
  readonly remote: string;
  readonly agent: string;
  /** Bytes that were sent, the answer's head among them. */
  readonly bytes: number;
  /** Bytes that were received, the request's head among them. */
  readonly received: number;
  readonly milliseconds: number;
  /** Whether the connection ended before the answer did. */
  readonly cut: boolean;
}

/** Hears of every request. Called often: it must cost little and never throw. */
export type Observer = (served: Served) => void;
