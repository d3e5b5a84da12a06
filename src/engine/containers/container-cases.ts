import type { Containers } from '../../container/containers.ts';
import { findMountTargets } from '../../container/mount-targets.ts';
import type { PlannedMount } from '../../container/mounts.ts';
import { isAlive } from '../../container/record.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import type { ImageId } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { Store } from '../../store/open-store.ts';
import type { ContainerCreateBody, ContainerInspect, ContainerSummary } from '../../wire/container.ts';
import type { Filters } from '../../wire/filters.ts';
import type { EventSubject } from '../event-log.ts';
import { matchesLabels, pruneUntilFilter } from '../images/image-filters.ts';
import { treeSize } from './tree-size.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The container use cases that join containers with images; the others the door takes from `Containers` as they are. */
export class ContainerCases {
  readonly #store: Store;
  readonly #containers: Containers;
  readonly #emit: (event: EventSubject) => void;

  constructor(store: Store, containers: Containers, emit: (event: EventSubject) => void) {
    this.#store = store;
    this.#containers = containers;
    this.#emit = emit;
  }

  async create(request: {
    readonly name: string | undefined;
    readonly platform: Platform | undefined;
    readonly body: ContainerCreateBody;
  }): Promise<{ Id: string; Warnings: string[] }> {
    const { HostConfig = {}, NetworkingConfig, ...config } = request.body;
    const image = this.#store.images.resolve(config.Image ?? '');
    refuseOtherPlatform(config.Image ?? '', image.config, request.platform);
    const diffIds = image.config.rootfs.diff_ids;
    const layers = this.#store.layers.chain(diffIds).map((layer) => layer.id);
    const { id, warnings } = await this.#containers.create({
      name: request.name,
      image: { id: image.id, config: image.config.config ?? {}, layers, diffIds },
      config,
      hostConfig: HostConfig,
      endpoints: NetworkingConfig?.EndpointsConfig ?? {},
    });
    return { Id: id, Warnings: warnings };
  }

  async list(query: {
    readonly all: boolean;
    readonly limit: number;
    readonly size: boolean;
    readonly filters: Filters;
  }): Promise<ContainerSummary[]> {
    const rows = this.#containers.list({ ...query, ancestors: (image) => this.#descendants(image) });
    for (const row of rows) {
      row.Image = this.#imageName(row.Image, row.ImageID);
      if (query.size) Object.assign(row, this.#sizes(row.Id));
    }
    return rows;
  }

  async inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspect> {
    const document = this.#containers.inspect(ref);
    return options.size ? { ...document, ...this.#sizes(document.Id) } : document;
  }

  async prune(options: CallOptions & { readonly filters: Filters }): Promise<{
    ContainersDeleted: string[] | null;
    SpaceReclaimed: number;
  }> {
    const deleted: string[] = [];
    let reclaimed = 0;
    const before = pruneUntilFilter(options.filters);
    for (const container of this.#containers.all()) {
      const { phase, config, created } = container.record;
      if (isAlive(phase) || phase.status === 'restarting') continue;
      if (!matchesLabels(options.filters, config.Labels ?? {})) continue;
      if (before !== undefined && Date.parse(created) >= before) continue;
      reclaimed += treeSize(container.snapshot.upper);
      await this.#containers.remove(container.id, { force: false, volumes: false, signal: options.signal });
      deleted.push(container.id);
    }
    this.#emit({ type: 'container', action: 'prune', id: '', attributes: { reclaimed: String(reclaimed) } });
    return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
  }

  /** The containers of an image, as `rmi` asks for them. */
  usersOf(image: ImageId): { id: string; running: boolean }[] {
    const own = this.#store.containers.usersOf(image);
    // A mounted image has no column of its own: containers that have one are few.
    const mounting = this.#containers
      .all()
      .filter(({ id, record }) => !own.includes(id) && record.mounts.some((mount) => isImage(mount, image)));
    return [...own, ...mounting.map(({ id }) => id)].map((id) => {
      const { phase } = this.#containers.find(id).record;
      return { id, running: isAlive(phase) };
    });
  }

  /** The image that was named, and every image made of it; none when there is no image of that name. */
  #descendants(name: string): ReadonlySet<ImageId> {
    const found = new Set<ImageId>();
    try {
      found.add(this.#store.images.resolve(name).id);
    } catch (error) {
      if (!isFailure(error, 'not-found', 'invalid')) throw error;
    }
    for (const id of found) for (const child of this.#store.images.children(id)) found.add(child);
    return found;
  }

  /** The name that the container was made with, or the image's ID once that name means another image or none. */
  #imageName(name: string, id: string): string {
    try {
      return this.#store.images.resolve(name).id === id ? name : id;
    } catch (error) {
      if (isFailure(error, 'not-found', 'invalid')) return id;
      throw error;
    }
  }

  #sizes(id: string): { SizeRw: number; SizeRootFs: number } {
    const container = this.#containers.find(id);
    const { upper } = container.snapshot;
    const { phase } = container.record;
    const notItsOwn = isAlive(phase) ? findMountTargets(upper, phase.targets) : new Set<string>();
    const SizeRw = treeSize(upper, notItsOwn);
    const layers = this.#store.layers.chain(this.#store.containers.layersOf(container.id));
    return { SizeRw, SizeRootFs: layers.reduce((sum, layer) => sum + layer.size, SizeRw) };
  }
}

/** Not found, so that clients pull it. */
function refuseOtherPlatform(name: string, image: ImageConfig, wanted: Platform | undefined): void {
  if (!wanted) return;
  const actual: Platform = {
    os: image.os,
    architecture: image.architecture,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
  };
  const isSame =
    wanted.os === actual.os &&
    wanted.architecture === actual.architecture &&
    (wanted.variant === undefined || actual.variant === undefined || wanted.variant === actual.variant);
  if (isSame) return;
  throw new Failure(
    'not-found',
    'PLATFORM_MISMATCH',
    `image with reference ${name} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(actual)}`,
  );
}

function isImage(mount: PlannedMount, image: ImageId): boolean {
  return mount.type === 'image' && mount.image === image;
}
