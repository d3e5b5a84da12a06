import { join } from 'node:path';
import { Readable } from 'node:stream';
import { cacheMountName } from '../../build/mounts/cache-mount.ts';
import { cacheMountLocks } from '../../build/mounts/cache-mount-lock.ts';
import { Failure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { applyTar } from '../../snapshot/apply-tar.ts';
import type { ScanRequest } from '../../snapshot/scan-tree.ts';
import { streamLayer } from '../../snapshot/stream-layer.ts';
import type { CacheMountRecord } from '../../store/cache-mounts.ts';
import type { LayerFacts } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { CacheMountRow } from '../../wire/cache-mount.ts';
import type { BuildCache } from './build-cache.ts';

export interface CacheMountNeeds {
  readonly store: Store;
  readonly workers: WorkerPool;
  /** Held as long as the other side reads or writes. */
  readonly receivers: WorkerPool;
  readonly cache: BuildCache;
}

/** Characters of a name: a path is no longer. */
const NAME_LIMIT = 4096;

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Cache mounts as objects. `ref` is what the Dockerfile calls one, or its ID or a beginning of that. */
export class CacheMountCases {
  readonly #needs: CacheMountNeeds;

  constructor(needs: CacheMountNeeds) {
    this.#needs = needs;
  }

  /** Last used first. */
  async list({ signal }: CallOptions): Promise<CacheMountRow[]> {
    const rows: CacheMountRow[] = [];
    for (const record of this.#needs.store.cacheMounts.list().reverse()) rows.push(await this.#row(record, signal));
    return rows;
  }

  async inspect(ref: string, { signal }: CallOptions): Promise<CacheMountRow> {
    return await this.#row(this.#find(ref), signal);
  }

  async remove(ref: string): Promise<void> {
    const { cacheMounts } = this.#needs.store;
    const { name, id } = this.#find(ref);
    if (cacheMountLocks.isHeld(cacheMounts.folder(name)))
      throw new Failure('conflict', 'CACHE_MOUNT_USED', `cache mount ${id} is in use by a build`);
    cacheMounts.delete(name);
  }

  /** A tar of what is in it. Builds that want it for themselves wait meanwhile. */
  async export(ref: string, { signal }: CallOptions): Promise<Readable> {
    const { store, workers, receivers } = this.#needs;
    await using scope = new Scope();
    const tree = store.cacheMounts.folder(this.#find(ref).name);
    scope.use(await cacheMountLocks.take(tree, 'shared', signal));
    const scratch = scope.use(makeScratchFolder(store.scratch, 'cache'));
    const request: ScanRequest = { tree, index: join(scratch.path, 'index') };
    await workers.run<LayerFacts>('scan-tree', request, { signal });
    const stream = Readable.from(streamLayer(receivers, { ...request, form: 'tar' }, { signal }), {
      objectMode: false,
    });
    const held = scope.move();
    stream.once('close', () => void held[Symbol.asyncDispose]());
    return stream;
  }

  /** Puts the files of a tar in the place of what is in it; makes one of this name when there is none. */
  async import(ref: string, body: Readable, { signal }: CallOptions): Promise<CacheMountRow> {
    const { store, receivers } = this.#needs;
    if (ref === '' || ref.length > NAME_LIMIT || ref.includes('\0'))
      throw new Failure(
        'invalid',
        'CACHE_MOUNT_NAME',
        `invalid name of a cache mount: ${JSON.stringify(ref.slice(0, 80))}`,
      );
    const known = this.#candidates(ref)[0];
    const mount = known ?? { name: cacheMountName(ref), id: ref, target: '', sharing: 'shared' };
    await using scope = new Scope();
    const scratch = scope.use(makeScratchFolder(store.scratch, 'cache'));
    const tree = join(scratch.path, 'tree');
    const { size } = await applyTar(
      receivers,
      body,
      { target: tree, index: join(scratch.path, 'index'), form: 'plain', devices: 'refuse' },
      { signal },
    );
    using _lock = await cacheMountLocks.take(store.cacheMounts.folder(mount.name), 'locked', signal);
    store.cacheMounts.replace(mount, tree, size);
    this.#needs.cache.hold();
    return await this.#row(this.#find(mount.name), signal);
  }

  #find(ref: string): CacheMountRecord {
    const [found, another] = this.#candidates(ref);
    if (!found)
      throw new Failure('not-found', 'CACHE_MOUNT_NOT_FOUND', `No such cache mount: ${ref}`, {
        hint: 'strake cache ls lists them',
      });
    if (another)
      throw new Failure('invalid', 'CACHE_MOUNT_AMBIGUOUS', `several cache mounts are called ${ref}`, {
        hint: `name one by its ID: ${found.name}, ${another.name}`,
      });
    return found;
  }

  #candidates(ref: string): CacheMountRecord[] {
    const all = this.#needs.store.cacheMounts.list();
    const exact = all.filter(({ name }) => name === ref);
    const called = exact.length > 0 ? exact : all.filter(({ id }) => id === ref);
    if (called.length > 0 || !/^[0-9a-f-]+$/.test(ref)) return called;
    return all.filter(({ name }) => name.startsWith(ref));
  }

  async #row(record: CacheMountRecord, signal: AbortSignal): Promise<CacheMountRow> {
    const { store, cache } = this.#needs;
    return {
      ID: record.name,
      Name: record.id,
      Target: record.target,
      Sharing: record.sharing,
      Size: await cache.measure(record.name, signal),
      InUse: cacheMountLocks.isHeld(store.cacheMounts.folder(record.name)),
      CreatedAt: new Date(record.created).toISOString(),
      LastUsedAt: new Date(record.lastUsed).toISOString(),
      UsageCount: record.useCount,
    };
  }
}
