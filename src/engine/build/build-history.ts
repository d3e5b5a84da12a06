import { advise } from '../../build/explain/advise.ts';
import type { BuildRecord } from '../../build/explain/build-record.ts';
import { BuildTrace } from '../../build/explain/build-trace.ts';
import { listingIn } from '../../build/explain/compare-keys.ts';
import { CopyListings } from '../../build/explain/copy-listings.ts';
import { missText } from '../../build/explain/miss-text.ts';
import { Failure, isFailure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { BuildRow } from '../../store/builds.ts';
import type { Store } from '../../store/open-store.ts';
import type { BuildExplanation, BuildSummary, CacheMiss, MissedStep } from '../../wire/build-explain.ts';
import type { BuildImageRequest } from './build-image.ts';
import type { KeptSteps } from './kept-steps.ts';

/** Builds of the same thing, and cache records of the same instruction, that a missed key is compared with. */
const PAST_BUILDS = 5;
const ALIKE_RECORDS = 20;

interface CallOptions {
  readonly signal: AbortSignal;
}

export interface HistoryParts {
  readonly store: Store;
  readonly workers: WorkerPool;
  readonly kept: KeptSteps;
  readonly log: Log;
}

/** What past builds did, and why their steps missed the cache. */
export class BuildHistory {
  readonly #store: Store;
  readonly #listings: CopyListings;
  readonly #kept: KeptSteps;
  readonly #log: Log;

  constructor(parts: HistoryParts) {
    const { store, workers, kept, log } = parts;
    this.#store = store;
    this.#log = log;
    this.#kept = kept;
    this.#listings = new CopyListings(store.memoFolder('copy-listings'), workers);
  }

  /** Begins the record of a build; with its option `explain` every miss is also told while it builds. */
  begin({ id, options, context, emit, signal }: BuildImageRequest): BuildTrace {
    const tags = options.tags.map((tag) => familiarReference(withDefaultTag(parseReference(tag))));
    const place =
      context.kind === 'offer'
        ? context.offer.path
        : context.kind === 'remote'
          ? context.url
          : context.kind === 'client' && context.folder.sharedKey !== ''
            ? context.folder.sharedKey
            : [...tags].sort().join(' ');
    const source = `${context.kind} ${place}\n${options.dockerfile}`;
    return new BuildTrace({
      id,
      source,
      tags,
      past: () => this.#store.builds.ofSource(source, PAST_BUILDS).map(recordOf),
      alike: (site) =>
        this.#store.cache
          .alike(site, ALIKE_RECORDS)
          .map(({ key, components, lastUsed }) => ({ site, components, digest: key, at: lastUsed })),
      listings: this.#listings,
      takeOver: (mount, hasFailed) => this.#kept.takeOver(id, mount, hasFailed),
      tell: !options.explain
        ? undefined
        : async (step, miss) => {
            await emit({ type: 'step-missed', step, lines: missText(await this.#withFiles(miss, { signal })) });
          },
    });
  }

  /** Ends the record and keeps it, when the build came as far as its steps. Never fails: the build itself is what counts. */
  async end(trace: BuildTrace, outcome: Parameters<BuildTrace['end']>[0]): Promise<void> {
    try {
      await trace.end(outcome);
      if (trace.record.steps.length > 0) await this.#keep(trace.record);
    } catch (error) {
      this.#log.warn('cannot remember a build', { build: trace.record.id, why: messageOf(error) });
    }
  }

  async #keep(record: BuildRecord): Promise<void> {
    const { id, started, source } = record;
    const forgotten = this.#store.builds.put({ id, started, source, document: record }).map(recordOf);
    if (record.status === 'failed' || forgotten.some(leftContainer)) await this.#kept.prune(this.records(), forgotten);
  }

  /** Newest first. */
  records(): BuildRecord[] {
    return this.#store.builds.list().map(recordOf);
  }

  async list(): Promise<BuildSummary[]> {
    return this.records().map(summaryOf);
  }

  /** Why steps of a build missed. `ref` is a build's ID or a beginning of it, or an image; empty is the last build. */
  async explain(ref: string, call: CallOptions): Promise<BuildExplanation> {
    return await this.explainRecord(this.find(ref), call);
  }

  async explainRecord(record: BuildRecord, call: CallOptions): Promise<BuildExplanation> {
    const missed: MissedStep[] = [];
    for (const step of record.steps)
      for (const { miss: known, site } of step.keys) {
        if (!known) continue;
        const miss = await this.#withFiles(known, call);
        missed.push({
          Step: step.index + 1,
          ...(step.stageName === undefined ? {} : { Stage: step.stageName }),
          Line: step.line,
          Instruction: site,
          ...miss,
          Text: missText(miss),
        });
      }
    return { ...summaryOf(record), MissedSteps: missed, Advice: advise(record, missed) };
  }

  find(ref: string): BuildRecord {
    const records = this.records();
    const found =
      ref === ''
        ? records[0]
        : (records.find(({ id }) => id === ref) ?? this.#ofImage(ref, records) ?? byPrefix(ref, records));
    if (found) return found;
    if (ref === '') throw new Failure('not-found', 'NO_BUILDS', 'nothing was built here yet');
    throw new Failure('not-found', 'BUILD_NOT_FOUND', `No such build: ${ref}`, {
      hint: 'strake builder history lists the builds that are remembered',
    });
  }

  #ofImage(ref: string, records: readonly BuildRecord[]): BuildRecord | undefined {
    let id: string | undefined;
    let name: string | undefined;
    try {
      name = familiarReference(withDefaultTag(parseReference(ref)));
      id = this.#store.images.resolve(ref).id;
    } catch (error) {
      if (!isFailure(error, 'not-found', 'invalid')) throw error;
    }
    return records.find(
      ({ image, tags }) => (image !== undefined && image === id) || (name !== undefined && tags.includes(name)),
    );
  }

  /** The miss with the files that differ, as far as their lists are still kept. */
  async #withFiles(miss: CacheMiss, { signal }: CallOptions): Promise<CacheMiss> {
    const changes = miss.Changes.map(async (change) => {
      const [before, after] = [listingIn(change.Before), listingIn(change.After)];
      if (before === undefined || after === undefined) return change;
      const files = await this.#listings.compare(before, after, signal);
      return files ? { ...change, Files: [...files.changes], FileCount: files.total } : change;
    });
    return { ...miss, Changes: await Promise.all(changes) };
  }
}

function byPrefix(ref: string, records: readonly BuildRecord[]): BuildRecord | undefined {
  const matches = /^[0-9a-f]+$/.test(ref) ? records.filter(({ id }) => id.startsWith(ref)) : [];
  if (matches.length > 1)
    throw new Failure('invalid', 'BUILD_AMBIGUOUS', `multiple builds found with provided prefix: ${ref}`);
  return matches[0];
}

function leftContainer({ steps }: BuildRecord): boolean {
  return steps.some(({ run }) => run?.container !== undefined);
}

function recordOf(row: BuildRow): BuildRecord {
  return row.document as BuildRecord; // written by `end`
}

function summaryOf(record: BuildRecord): BuildSummary {
  const keys = record.steps.flatMap((step) => step.keys);
  const failed = record.steps.find(({ outcome }) => outcome === 'failed');
  return {
    Id: record.id,
    Tags: [...record.tags],
    ...(record.image === undefined ? {} : { Image: record.image }),
    Status: record.status,
    ...(record.error === undefined ? {} : { Error: record.error }),
    Started: new Date(record.started).toISOString(),
    Milliseconds: record.ended - record.started,
    Steps: record.steps.length,
    Cached: keys.filter(({ cached }) => cached).length,
    Missed: keys.filter(({ cached }) => !cached).length,
    ...(failed ? { FailedStep: failed.index + 1 } : {}),
  };
}
