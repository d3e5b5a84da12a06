import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database } from '../lib/database.ts';
import { Failure, isFailure } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { Reserve } from '../lib/reserve.ts';
import { Scope } from '../lib/scope.ts';
import { BuildRecords } from './builds.ts';
import { CacheRecords } from './cache.ts';
import { CacheMounts } from './cache-mounts.ts';
import { CacheSpace } from './cache-space.ts';
import { ClientFolders } from './client-folders.ts';
import { ContainerRecords } from './containers.ts';
import { ContentStore } from './content.ts';
import { diskFailure, FULL_DISK_ADVICE } from './disk.ts';
import { ImageNames } from './image-names.ts';
import { ImageRecords } from './images.ts';
import { LayerRecords } from './layers.ts';
import { Leases } from './leases.ts';
import { migrate } from './schema.ts';
import { ShippedRecords } from './shipped.ts';
import { Trash } from './trash.ts';
import { VolumeRecords } from './volumes.ts';

/** Everything under one data root. Closing it releases the lock; what was written stays. */
export interface Store extends AsyncDisposable {
  readonly root: string;
  /** `<root>/tmp`: scratch of any room, emptied at open. */
  readonly scratch: string;
  readonly content: ContentStore;
  readonly layers: LayerRecords;
  readonly images: ImageRecords;
  readonly shipped: ShippedRecords;
  readonly cache: CacheRecords;
  readonly cacheMounts: CacheMounts;
  readonly cacheSpace: CacheSpace;
  readonly clientFolders: ClientFolders;
  readonly builds: BuildRecords;
  readonly containers: ContainerRecords;
  readonly volumes: VolumeRecords;
  readonly leases: Leases;
  readonly trash: Trash;
  /** For removals on a full disk. */
  readonly reserve: Reserve;
  /** For the functions of this room. */
  readonly database: Database;
  /** `<root>/active/<key>`: a writable snapshot; its owner makes and removes it. */
  activeFolder(key: string): string;
  /** Keys of the folders in `active`; after open, those that a previous host left. */
  activeKeys(): string[];
  /** `<root>/containers/<id>`; its owner makes and removes it. */
  containerFolder(id: string): string;
  /** `<root>/debug`: what failed steps of builds left, a folder a build. */
  readonly debugFolder: string;
  /** `<root>/memo/<name>`, made when needed: notes that only save time and may vanish. */
  memoFolder(name: string): string;
  /** All or nothing of the records that `work`, which is synchronous, changes. */
  transaction<T>(work: () => T): T;
  /** The same for what gives space back: works on a full disk, where `work` may be done several times. */
  freeing<T>(work: () => T): T;
}

/**
 * Opens the data root, makes what is missing, and removes what a killed host left unfinished: scratch, ingests and
 * layers that were never sealed (into the trash, deleted in the background). Throws `conflict` STORE_LOCKED with the
 * holder's pid when another process has the root open: the lock is the kernel's and dies with its holder.
 */
export async function openStore(root: string, options: { readonly log: Log }): Promise<Store> {
  await using scope = new Scope();
  const folder = (name: string) => join(root, name);
  try {
    makeFolder(root, 0o700);
    const reserve = new Reserve(folder('reserve'));
    const database = scope.use(reserve.spend(() => lockedDatabase(root, reserve)));
    for (const name of ['content/sha256', 'layers', 'active', 'containers', 'volumes', 'tmp', 'memo', 'debug'])
      reserve.spend(() => mkdirSync(folder(name), { recursive: true, mode: 0o700 }));
    reserve.spend(() => migrate(database));
    const trash = scope.use(new Trash(folder('trash'), { log: options.log, reserve }));
    for (const name of readdirSync(folder('tmp'))) trash.discard(join(root, 'tmp', name));
    withdrawHanded(folder('handoff'));

    const leases = new Leases();
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const layers = new LayerRecords({ database, root: folder('layers'), trash, leases, bootId });
    discardUnsealed(layers, trash, options.log);
    const volumes = new VolumeRecords({ database, root: folder('volumes'), trash });
    for (const { name } of volumes.list()) volumes.makeFolder(name);
    const cacheMounts = new CacheMounts({ database, root: folder('memo/cache-mounts'), trash });
    cacheMounts.discardUnknown();
    const clientFolders = new ClientFolders({ database, root: folder('memo/client-folders'), trash, bootId });
    clientFolders.discardOld();
    const names = new ImageNames(database);
    const owned = scope.move();
    return {
      root,
      scratch: folder('tmp'),
      content: new ContentStore({
        root: folder('content/sha256'),
        scratch: folder('tmp'),
        handoff: folder('handoff'),
        trash,
        leases,
      }),
      layers,
      images: new ImageRecords({ database, layers, names }),
      shipped: new ShippedRecords(database),
      cache: new CacheRecords({ database, leases }),
      cacheMounts,
      cacheSpace: new CacheSpace(database),
      clientFolders,
      builds: new BuildRecords(database),
      containers: new ContainerRecords(database),
      volumes,
      leases,
      trash,
      reserve,
      database,
      activeFolder: (key) => join(root, 'active', key),
      activeKeys: () => readdirSync(folder('active')),
      debugFolder: folder('debug'),
      containerFolder: (id) => join(root, 'containers', id),
      memoFolder: (name) => {
        const path = join(root, 'memo', name);
        mkdirSync(path, { recursive: true, mode: 0o700 });
        return path;
      },
      transaction: (work) => database.transaction(work),
      freeing: (work) => database.freeing(work),
      [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
    };
  } catch (error) {
    throw diskFailure(error, root);
  }
}

/** Takes back what a killed host was giving to registries of this machine: their folders stay. */
function withdrawHanded(handoff: string): void {
  if (!existsSync(handoff)) return;
  for (const place of readdirSync(handoff))
    for (const name of readdirSync(join(handoff, place))) rmSync(join(handoff, place, name));
}

/** The lock is on the database; the file `lock` only says who holds it. */
function lockedDatabase(root: string, reserve: Reserve): Database {
  const note = join(root, 'lock');
  try {
    const database = new Database(join(root, 'strake.db'), { reserve, advice: FULL_DISK_ADVICE });
    reserve.spend(() => writeFileSync(note, `${process.pid}\n`, { mode: 0o600 }));
    return database;
  } catch (error) {
    if (!isFailure(error) || error.code !== 'DATABASE_LOCKED') throw error;
    throw new Failure('conflict', 'STORE_LOCKED', `the data root ${root} is in use by process ${holder(note)}`, {
      cause: error,
      hint: 'stop that host, or choose another data root',
    });
  }
}

function holder(note: string): string {
  try {
    return readFileSync(note, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown'; // it has the lock and has not yet written its note
  }
}

function discardUnsealed(layers: LayerRecords, trash: Trash, log: Log): void {
  const known = new Set<string>(layers.list().map((layer) => layer.id));
  for (const { id } of layers.duplicates()) known.add(id);
  const unsealed = layers.folders().filter((name) => !known.has(name));
  for (const name of unsealed) trash.discard(join(layers.root, name));
  if (unsealed.length > 0) log.info('removed layers that were never finished', { count: unsealed.length });
}
