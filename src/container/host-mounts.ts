import { lookup } from 'node:dns/promises';
import { fstatSync, mkdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { openBelow } from '../host/inside-root.ts';
import { bindMount, mountReadOnlyOverlay, unmountAllUnder, unmountInBackground } from '../host/mount.ts';
import { type FileSystemMount, mountFileSystem } from '../host/mount-file-system.ts';
import { Failure, messageOf, systemCode, systemReason } from '../lib/error.ts';
import { SharedUses } from '../lib/shared-uses.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { Store } from '../store/open-store.ts';
import { volumeFileSystem } from '../store/volume-options.ts';
import type { Container } from './container.ts';
import type { PlannedMount } from './mounts.ts';

export interface HostMountsNeeds {
  readonly store: Pick<Store, 'volumes' | 'layers'>;
  /** Serves `mountTasks`. */
  readonly mounters: Pick<WorkerPool, 'run'>;
}

/** A mount whose source the host makes: a part of a volume, or an image. */
type PlacedMount = Extract<PlannedMount, { type: 'volume' | 'image' }> & { readonly place: string };

/**
 * What the mounts of containers need on the host: the file systems of volumes that have one of their own, and at a place of
 * the container's what is a part of a volume, or an image. Mounted while a container runs or somebody looks into it.
 */
export class HostMounts {
  readonly #needs: HostMountsNeeds;
  readonly #uses = new SharedUses();

  constructor(needs: HostMountsNeeds) {
    this.#needs = needs;
  }

  /** Mounts what is not mounted yet, until `close` was called as often. When it fails, nothing is. */
  async open(container: Container): Promise<void> {
    if (container.record.mounts.some((mount) => isPlaced(mount) || this.#fileSystem(mount)))
      await this.#uses.begin(container.id, () => this.#mountAll(container));
  }

  async close(container: Container): Promise<void> {
    await this.#uses.end(container.id, () => this.#unmountAll(container.record.mounts));
  }

  /** Goes on with what the host before has mounted for a running container. */
  takeOver(container: Container): void {
    const { mounts } = container.record;
    for (const mount of mounts)
      if (mount.type === 'volume' && this.#fileSystem(mount)) this.#uses.add(volumeUse(mount));
    if (mounts.some((mount) => isPlaced(mount) || this.#fileSystem(mount))) this.#uses.add(container.id);
  }

  async #mountAll(container: Container): Promise<void> {
    const done: PlannedMount[] = [];
    try {
      for (const mount of container.record.mounts) {
        await this.#mountVolume(mount);
        done.push(mount);
      }
      for (const mount of container.record.mounts) if (isPlaced(mount)) this.#mountAtPlace(mount);
    } catch (error) {
      await this.#unmountAll(done);
      throw error;
    }
  }

  async #unmountAll(mounts: readonly PlannedMount[]): Promise<void> {
    for (const mount of mounts) {
      if (isPlaced(mount)) {
        const folder = dirname(mount.place);
        unmountAllUnder(folder);
        for (const path of [mount.place, join(folder, 'image'), folder]) removeEmpty(path);
      }
      if (mount.type === 'volume')
        await this.#uses.end(volumeUse(mount), async () => void (await unmountInBackground(mount.source)));
    }
  }

  async #mountVolume(mount: PlannedMount): Promise<void> {
    const fileSystem = this.#fileSystem(mount);
    if (mount.type !== 'volume' || !fileSystem) return;
    await this.#uses.begin(volumeUse(mount), async () => {
      try {
        // What this machine has is mounted at once.
        if (['none', 'tmpfs'].includes(fileSystem.type)) mountFileSystem(fileSystem);
        else await this.#needs.mounters.run('mount-file-system', await withAddress(fileSystem), { signal: unaborted });
      } catch (error) {
        const why = `error while mounting volume '${mount.source}': failed to mount local volume: ${messageOf(error)}`;
        throw new Failure('unavailable', 'VOLUME_MOUNT', why, { cause: error });
      }
    });
  }

  #mountAtPlace(mount: PlacedMount): void {
    const folder = dirname(mount.place);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    let root = mount.source;
    if (mount.type === 'image') {
      root = mount.subpath === '' ? mount.place : join(folder, 'image');
      mkdirSync(root, { mode: 0o700 });
      const layers = this.#needs.store.layers.chain(mount.layers);
      // An image without layers is an empty folder.
      const lower = layers.length > 0 ? layers.map(({ id }) => `${id}/diff`).reverse() : [root];
      mountReadOnlyOverlay({ lower, target: root });
    }
    if (mount.subpath) bindPart(root, mount.subpath, mount.place);
  }

  #fileSystem(mount: PlannedMount): FileSystemMount | undefined {
    const volume = mount.type === 'volume' ? this.#needs.store.volumes.get(mount.name) : undefined;
    return volume && volumeFileSystem(volume);
  }
}

/** The mounts with the sources that the runtime is to bind; there while `HostMounts` has them open. */
export function boundMounts(mounts: readonly PlannedMount[]): PlannedMount[] {
  return mounts.map((mount) => (isPlaced(mount) ? { ...mount, source: mount.place } : mount));
}

function isPlaced(mount: PlannedMount): mount is PlacedMount {
  return (mount.type === 'volume' || mount.type === 'image') && mount.place !== undefined;
}

/** Makes the file or folder at a path below `root` visible at `place`. Failures are in Docker's words. */
function bindPart(root: string, subpath: string, place: string): void {
  try {
    using part = openBelow(root, subpath);
    if (fstatSync(part.fd).isDirectory()) mkdirSync(place, { mode: 0o700 });
    else writeFileSync(place, '');
    bindMount(part.path, place);
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'EXDEV') {
      const where = `base: ${root}, subpath: ${subpath}`;
      throw new Failure('invalid', 'SUBPATH_OUTSIDE', `path concatenation escapes the base directory, ${where}`);
    }
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(code)) throw error;
    const why = `cannot access path ${join(root, subpath)}: ${systemReason(error)}`;
    throw new Failure('not-found', 'SUBPATH_MISSING', why, { cause: error });
  }
}

/** The kernel knows servers by address. */
async function withAddress(fileSystem: FileSystemMount): Promise<FileSystemMount> {
  const server = /(?:^|,)addr=([^,]+)/.exec(fileSystem.options)?.[1];
  if (!['nfs', 'cifs'].includes(fileSystem.type) || server === undefined || isIP(server) !== 0) return fileSystem;
  const { address } = await lookup(server).catch((error: unknown) => {
    const why = `error resolving passed in network volume address: lookup ${server}: ${systemReason(error)}`;
    throw new Failure('unavailable', 'VOLUME_SERVER', why, { cause: error });
  });
  return { ...fileSystem, options: fileSystem.options.replace(`addr=${server}`, `addr=${address}`) };
}

/** An empty file or folder: what something was mounted on. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') unlinkSync(path);
    else if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** A mount that was given up would be there nevertheless. */
const unaborted = new AbortController().signal;

const volumeUse = ({ name }: { readonly name: string }) => `volume ${name}`;
