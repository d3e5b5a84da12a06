import { messageOf } from '../../lib/error.ts';
import type { BuildEvent } from '../../wire/build.ts';
import type { CacheMiss } from '../../wire/build-explain.ts';
import type { CacheKey } from '../cache-key.ts';
import type { CopyInputs } from '../context/copy-inputs.ts';
import type { RunMount } from '../needs.ts';
import type { BaseRecord, BuildRecord, RunRecord, StepRecord } from './build-record.ts';
import type { CopyListings } from './copy-listings.ts';
import { explainMiss } from './explain-miss.ts';
import type { EarlierKey } from './nearest-key.ts';

export interface TraceParts {
  readonly id: string;
  readonly source: string;
  readonly tags: readonly string[];
  /** Earlier builds of the same thing, newest first. Asked for at the first miss. */
  readonly past: () => BuildRecord[];
  /** What the cache has of an instruction. */
  readonly alike: (site: string) => EarlierKey[];
  readonly listings: CopyListings;
  /** What of a mount can be seen after the step; keeps the files that a failed one had bound. */
  readonly takeOver: (mount: RunMount, hasFailed: boolean) => Promise<RunMount | undefined>;
  /** Hears of every miss, of a RUN before it runs. Undefined when nobody wants to. */
  readonly tell: ((step: number, miss: CacheMiss) => Promise<void>) | undefined;
}

/** A secret or an SSH agent of the client, by its ID. */
export interface LentInput {
  readonly kind: 'secret' | 'agent';
  readonly id: string;
  readonly isRequired: boolean;
}

/** Writes down what a build does, step by step, and why its steps missed the cache. */
export class BuildTrace {
  readonly record: BuildRecord;
  /** What RUNs ask of the client, each once; nothing of it is kept. */
  readonly lent = new Map<string, LentInput>();
  readonly #parts: TraceParts;
  #past: BuildRecord[] | undefined;
  readonly #keeping = new Set<Promise<void>>();

  constructor(parts: TraceParts) {
    const { id, source, tags } = parts;
    const started = Date.now();
    this.record = { id, source, tags, started, ended: started, status: 'cancelled', steps: [] };
    this.#parts = parts;
  }

  /** Takes what an event tells. */
  event(event: BuildEvent): void {
    if (event.type === 'plan')
      for (const info of event.steps) this.record.steps.push({ ...info, outcome: 'waiting', keys: [] });
    const step = 'step' in event ? this.#step(event.step) : undefined;
    if (!step) return;
    switch (event.type) {
      case 'step-start':
        step.outcome = 'running';
        step.started = event.at;
        return;
      case 'step-cached':
        step.outcome = 'cached';
        return;
      case 'step-done':
        if (step.outcome !== 'cached') step.outcome = 'done';
        step.ended = event.at;
        if (event.image !== undefined) step.image = event.image;
        return;
      case 'step-failed':
        step.outcome = 'failed';
        step.ended = event.at;
        return;
    }
  }

  /** FROM has found its image. */
  based(step: number, base: BaseRecord): void {
    const record = this.#step(step);
    if (record) record.base = base;
  }

  /** The cache had nothing under this key. */
  async missed(
    step: number,
    { site, digest, components }: CacheKey,
    { noCache }: { readonly noCache: boolean },
  ): Promise<void> {
    const record = this.#step(step);
    if (!record) return;
    this.#past ??= this.#parts.past();
    const miss = explainMiss(
      { site, digest, components },
      {
        build: this.record,
        step: record,
        past: this.#past,
        alike: this.#parts.alike(site),
        noCache,
      },
    );
    record.keys.push({ site, digest, components, cached: false, miss });
    if (!this.#parts.tell) return;
    await Promise.all(this.#keeping);
    await this.#parts.tell(step, miss);
  }

  /** A step has its result: from the cache, or after a miss. */
  solved(step: number, { site, digest, components }: CacheKey, done: { cached: boolean; result: string }): void {
    const keys = this.#step(step)?.keys;
    const missed = keys?.findLast((key) => key.digest === digest && key.result === undefined);
    if (missed) missed.result = done.result;
    else keys?.push({ site, digest, components, cached: done.cached, result: done.result });
  }

  /** How the command of a RUN runs, or ran when the cache has it; `mounts` are the names of its mounts. */
  ran(step: number, run: Omit<RunRecord, 'mounts' | 'lost'>, mounts: readonly string[]): void {
    const record = this.#step(step);
    if (record) record.run = { ...run, mounts: [], lost: mounts };
  }

  /** A RUN has ended, with these mounts. `container` is what it left when it failed. */
  async ended(
    step: number,
    mounts: readonly RunMount[],
    failed?: { readonly container: string | undefined },
  ): Promise<void> {
    const record = this.#step(step);
    if (!record?.run) return;
    const left: RunMount[] = [];
    for (const mount of mounts) {
      // On a full disk, say. Why the step itself failed is what people want to read.
      const taken = await this.#parts.takeOver(mount, failed !== undefined).catch(() => undefined);
      if (taken) left.push(taken);
    }
    const targets = new Set(left.map(({ target }) => target));
    const { container } = failed ?? {};
    record.run = {
      ...record.run,
      mounts: left,
      lost: record.run.lost.filter((name) => !targets.has(name)),
      ...(container === undefined ? {} : { container }),
    };
  }

  /** A RUN has a mount of what the client lends. */
  lends(kind: LentInput['kind'], id: string, isRequired: boolean): void {
    const key = `${kind} ${id}`;
    this.lent.set(key, { kind, id, isRequired: isRequired || this.lent.get(key)?.isRequired === true });
  }

  /** Keeps the list of files that a key's digest is of. */
  listed(inputs: CopyInputs): void {
    const keeping = this.#parts.listings.keep(inputs).finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
  }

  /** A trace of which nothing is kept. */
  aside(): BuildTrace {
    return new BuildTrace(this.#parts);
  }

  /** Ends the record, which is then whole. */
  async end(
    outcome: { readonly image: string } | { readonly error: unknown; readonly cancelled: boolean },
  ): Promise<void> {
    const { record } = this;
    record.ended = Date.now();
    if ('image' in outcome) {
      record.status = 'succeeded';
      record.image = outcome.image;
    } else {
      record.status = outcome.cancelled ? 'cancelled' : 'failed';
      record.error = messageOf(outcome.error);
    }
    await Promise.all(this.#keeping);
  }

  #step(index: number): StepRecord | undefined {
    return this.record.steps[index];
  }
}
