import { existsSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Container } from '../../../container/container.ts';
import type { Containers } from '../../../container/containers.ts';
import { fileMounts } from '../../../container/files.ts';
import type { PlannedMount } from '../../../container/mounts.ts';
import { resolveUser } from '../../../container/user.ts';
import { Failure } from '../../../lib/error.ts';
import { Scope } from '../../../lib/scope.ts';
import type { WorkerPool } from '../../../lib/worker-pool.ts';
import { feedWorker } from '../../../snapshot/feed-worker.ts';
import { streamFromWorker } from '../../../snapshot/stream-from-worker.ts';
import type { Store } from '../../../store/open-store.ts';
import type { ChangeRow, PathStat } from '../../../wire/container-details.ts';
import { listChanges } from './list-changes.ts';
import { isFolder, MountedTree, type TreeMount, type TreeParts } from './mounted-tree.ts';
import { absolutePath, findPath, pathFailure, statPath } from './path-stat.ts';
import type { UnpackRequest } from './unpack-into.ts';

export interface ContainerFilesNeeds {
  readonly store: Pick<Store, 'layers' | 'containers'>;
  readonly containers: Containers;
  /** Held as long as a client reads or writes. */
  readonly receivers: WorkerPool;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The files of a container, running or not, as `cp` and `diff` see them: its root, its volumes and binds; no tmpfs. */
export class ContainerFiles {
  readonly #needs: ContainerFilesNeeds;

  constructor(needs: ContainerFilesNeeds) {
    this.#needs = needs;
  }

  /** GET /containers/{id}/changes */
  async changes(ref: string): Promise<ChangeRow[]> {
    const container = this.#needs.containers.find(ref);
    return listChanges(container, this.#needs.store);
  }

  /** HEAD /containers/{id}/archive */
  async stat(ref: string, path: string): Promise<PathStat> {
    await using opened = await this.#open(ref);
    const tree = new MountedTree(opened.tree);
    return statPath(tree, findPath(tree, path, ref));
  }

  /** GET /containers/{id}/archive */
  async readArchive(ref: string, path: string, { signal }: CallOptions): Promise<{ stat: PathStat; body: Readable }> {
    await using scope = new Scope();
    const opened = scope.use(await this.#open(ref));
    const tree = new MountedTree(opened.tree);
    const found = findPath(tree, path, ref);
    const stat = statPath(tree, found);
    const request = { tree: opened.tree, real: found.real, base: found.base };
    const bytes = streamFromWorker(this.#needs.receivers, 'pack-path', request, { signal });
    const body = Readable.from(bytes, { objectMode: false });
    const held = scope.move();
    body.once('close', () => void held[Symbol.asyncDispose]());
    this.#needs.containers.emit(opened.container, 'archive-path');
    return { stat, body };
  }

  /** PUT /containers/{id}/archive. With `copyOwner` everything belongs to the container's user. */
  async writeArchive(
    ref: string,
    request: CallOptions & {
      readonly path: string;
      readonly body: Readable;
      readonly noOverwriteDirNonDir: boolean;
      readonly copyOwner: boolean;
    },
  ): Promise<void> {
    await using opened = await this.#open(ref);
    const { container } = opened;
    const tree = new MountedTree(opened.tree);
    const real = targetFolder(tree, request.path, ref);
    refuseReadOnly(container, tree.mountOf(real));
    const { User } = container.record.config;
    const owner = request.copyOwner && User ? resolveUser(opened.tree.root, User) : undefined;
    const unpack: UnpackRequest = {
      tree: opened.tree,
      real,
      owner: owner && { uid: owner.uid, gid: owner.gid },
      noOverwriteDirNonDir: request.noOverwriteDirNonDir,
    };
    await feedWorker<void, UnpackRequest>(this.#needs.receivers, 'unpack-into', request.body, unpack, request);
    this.#needs.containers.emit(container, 'extract-to-dir');
  }

  async #open(ref: string): Promise<{ readonly container: Container; readonly tree: TreeParts } & AsyncDisposable> {
    const { containers } = this.#needs;
    await using scope = new Scope();
    const container = containers.find(ref);
    const root = scope.use(await containers.openRootWithVolumes(ref));
    const mounts = [...hostFiles(container), ...root.mounts.flatMap(treeMount)];
    const held = scope.move();
    return { container, tree: { root: root.path, mounts }, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
  }
}

/** The folder that an archive is unpacked into; the last link of its path is followed. */
function targetFolder(tree: MountedTree, path: string, ref: string): string {
  const absolute = absolutePath(path);
  try {
    const real = tree.resolve(absolute, { missing: 'throw' });
    if (isFolder(tree.stat(real))) return real;
  } catch (error) {
    throw pathFailure(error, { path, absolute, ref });
  }
  throw new Failure('invalid', 'NOT_A_FOLDER', 'extraction point is not a directory');
}

function refuseReadOnly(container: Container, mount: TreeMount | undefined): void {
  if (mount?.readOnly) throw new Failure('denied', 'READ_ONLY', 'mounted volume is marked read-only');
  if (!mount && container.record.hostConfig.ReadonlyRootfs)
    throw new Failure('denied', 'READ_ONLY', 'container rootfs is marked read-only');
}

/** The files that the host writes for a container, once it has. */
function hostFiles(container: Container): TreeMount[] {
  const readOnly = container.record.hostConfig.ReadonlyRootfs ?? false;
  return fileMounts(container.folder, new Set(), readOnly)
    .filter(({ source }) => existsSync(source))
    .map(({ source, destination }) => ({ source, destination, kind: 'file', readOnly }));
}

function treeMount(mount: PlannedMount): TreeMount[] {
  if (mount.type === 'tmpfs') return []; // it lives in the container's own mount namespace
  const { source, destination, readOnly } = mount;
  const stat = statSync(source, { throwIfNoEntry: false });
  return stat ? [{ source, destination, readOnly, kind: stat.isDirectory() ? 'folder' : 'file' }] : [];
}
