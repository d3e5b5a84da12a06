import { setImmediate as breathe } from 'node:timers/promises';
import { cancelled, messageOf } from '../lib/error.ts';
import type { BlobKey } from './blob-storage.ts';
import type { Collected } from './metadata-store.ts';
import { discardKeys, type Registry } from './registry.ts';

const BATCH = 256;

export interface CollectOptions {
  /** Leases that end by then count as ended. Milliseconds since the epoch; default now. */
  readonly leaseTime?: number;
  readonly signal: AbortSignal;
}

/** What a collection removed. */
export interface CollectReport extends Collected {
  /** Keys whose bytes were deleted, those of earlier collections that were cut short among them. */
  readonly keys: number;
}

/**
 * Removes what nobody holds: uploads that were given up, blobs whose lease has ended, their bytes. In short transactions, while
 * everything else goes on.
 */
export async function collect(registry: Registry, { leaseTime, signal }: CollectOptions): Promise<CollectReport> {
  const { metadata } = registry;
  const total = { uploads: 0, links: 0, blobs: 0, bytes: 0, repositories: 0, keys: 0 };
  for (;;) {
    if (signal.aborted) throw cancelled(signal);
    const now = Date.now();
    const part = await metadata.collect({ now, leaseTime: leaseTime ?? now }, BATCH);
    total.uploads += part.uploads;
    total.links += part.links;
    total.blobs += part.blobs;
    total.bytes += part.bytes;
    total.repositories += part.repositories;
    if (part.uploads + part.links === 0) break;
    await breathe();
  }
  for (;;) {
    if (signal.aborted) throw cancelled(signal);
    const keys = await metadata.doomedKeys(BATCH);
    if (keys.length === 0) return total;
    await discardKeys(registry, keys);
    total.keys += keys.length;
  }
}

/**
 * Removes bytes of which the metadata knows nothing: a power cut may take the last records and leave their bytes. Bytes of an
 * upload are known before they are written, so what is unknown is nobody's. Returns how many keys.
 */
export async function sweep(registry: Registry, signal: AbortSignal): Promise<number> {
  const { metadata, blobs } = registry;
  let swept = 0;
  const remove = async (keys: readonly BlobKey[]) => {
    const unknown = await metadata.unknownKeys(keys);
    for (const key of unknown) await blobs.delete(key);
    swept += unknown.length;
  };
  let batch: BlobKey[] = [];
  for await (const key of blobs.list()) {
    if (signal.aborted) throw cancelled(signal);
    batch.push(key);
    if (batch.length < BATCH) continue;
    await remove(batch);
    batch = [];
  }
  await remove(batch);
  return swept;
}

/** Collects again and again until disposed. `every`: milliseconds. */
export function startCollector(registry: Registry, every: number): AsyncDisposable {
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(() => collect(registry, { signal: stop.signal }))
      .catch((error) => {
        if (!stop.signal.aborted) registry.log.error('collection failed', { error: messageOf(error) });
      });
  }, every);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stop.abort();
      await running;
    },
  };
}
