import { createHash } from 'node:crypto';
import type { StatusResponse, Timestamp, Vertex, VertexStatus, VertexWarning } from '../shapes/status.ts';

/** Says what is new about a build; properties that are left out are empty. Resolves when there is room for more. */
export type Show = (status: Partial<StatusResponse>) => Promise<void>;

export interface VertexesOptions {
  readonly show: Show;
  /** Sets digests of this build apart from those of others. */
  readonly ref: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** How a vertex ends. */
export type VertexEnd = 'done' | 'cached' | 'cancelled' | { readonly error: string };

/** The end of BuildKit's words for what was given up: its clients show such a vertex as cancelled. */
export const CANCELLED = 'context canceled';

/** Progress is said this often, in milliseconds, and once more when it has ended. */
const PROGRESS_INTERVAL = 100;

/** The parts of a build as BuildKit's clients see them, each a vertex with a name, text and progress of its own. */
export class Vertexes {
  readonly #options: VertexesOptions;
  readonly #clock: Clock;
  readonly #open = new Set<OpenVertex>();
  #count = 0;

  constructor(options: VertexesOptions) {
    this.#options = options;
    this.#clock = new Clock(options.now ?? Date.now);
  }

  /** A vertex that has not begun. It is said when it begins, or by `announce`. */
  make(name: string, inputs: readonly string[] = []): OpenVertex {
    const digest = `sha256:${createHash('sha256')
      .update(`${this.#options.ref} ${this.#count++}`)
      .digest('hex')}`;
    return new OpenVertex({ digest, name, inputs }, { show: this.#options.show, clock: this.#clock, open: this.#open });
  }

  announce(vertexes: readonly OpenVertex[]): Promise<void> {
    if (vertexes.length === 0) return Promise.resolve();
    return this.#options.show({ vertexes: vertexes.map(({ vertex }) => vertex) });
  }

  async warn(warning: Partial<VertexWarning>): Promise<void> {
    const whole = { vertex: '', level: 1, short: new Uint8Array(), detail: [], url: '', info: undefined, ranges: [] };
    await this.#options.show({ warnings: [{ ...whole, ...warning }] });
  }

  /** Ends what is still open. */
  async cancel(): Promise<void> {
    for (const vertex of [...this.#open]) await vertex.end('cancelled');
  }
}

/** Times, told apart by microseconds when they are of the same millisecond: clients sort by them. */
class Clock {
  readonly #now: () => number;
  #told = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  now(): number {
    return this.#now();
  }

  tell(at = this.#now()): Timestamp {
    return timestampOf(at + (this.#told++ % 1000) / 1000);
  }
}

interface VertexParts {
  readonly show: Show;
  readonly clock: Clock;
  /** The vertexes that have begun and not ended. */
  readonly open: Set<OpenVertex>;
}

/** One vertex of a build. What is said twice or after the end is not said. */
export class OpenVertex {
  #vertex: Vertex;
  readonly #parts: VertexParts;
  readonly #progress = new Map<string, { readonly started: Timestamp; said: number; status: VertexStatus }>();

  constructor(vertex: Pick<Vertex, 'digest' | 'name' | 'inputs'>, parts: VertexParts) {
    this.#vertex = { ...vertex, cached: false, started: undefined, completed: undefined, error: '' };
    this.#parts = parts;
  }

  get vertex(): Vertex {
    return this.#vertex;
  }

  get isOpen(): boolean {
    return this.#parts.open.has(this);
  }

  /** `at` is in milliseconds since the epoch, as everywhere here. */
  async begin(at?: number): Promise<void> {
    if (this.#vertex.started) return;
    this.#parts.open.add(this);
    this.#vertex = { ...this.#vertex, started: this.#parts.clock.tell(at) };
    await this.#parts.show({ vertexes: [this.#vertex] });
  }

  async log(stream: 'stdout' | 'stderr', text: string): Promise<void> {
    const time = this.#parts.clock.tell();
    const log = { vertex: this.#vertex.digest, timestamp: time, stream: stream === 'stdout' ? 1 : 2 };
    await this.#parts.show({ logs: [{ ...log, msg: Buffer.from(text) }] });
  }

  /** A line of progress, `id` its text. Resolves at once when it is too soon to say it. */
  async progress(id: string, current: number, total = 0): Promise<void> {
    const { clock } = this.#parts;
    const now = clock.now();
    const known = this.#progress.get(id);
    const started = known?.started ?? clock.tell();
    const about = { id, vertex: this.#vertex.digest, name: '', current, total, started };
    const status = { ...about, timestamp: clock.tell(), completed: undefined };
    const isDue = !known || now - known.said >= PROGRESS_INTERVAL;
    this.#progress.set(id, { started, said: isDue ? now : known.said, status });
    if (isDue) await this.#parts.show({ statuses: [status] });
  }

  /** The end of a line of progress, with what it has come to. */
  async progressed(id: string): Promise<void> {
    const known = this.#progress.get(id);
    if (!known) return;
    this.#progress.delete(id);
    const completed = this.#parts.clock.tell();
    await this.#parts.show({ statuses: [{ ...known.status, timestamp: completed, completed }] });
  }

  async end(how: VertexEnd = 'done', at?: number): Promise<void> {
    if (!this.#parts.open.delete(this)) return;
    for (const id of [...this.#progress.keys()]) await this.progressed(id);
    const error = how === 'cancelled' ? CANCELLED : typeof how === 'object' ? how.error : '';
    this.#vertex = { ...this.#vertex, cached: how === 'cached', completed: this.#parts.clock.tell(at), error };
    await this.#parts.show({ vertexes: [this.#vertex] });
  }
}

/** Milliseconds since the epoch as a message. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}
