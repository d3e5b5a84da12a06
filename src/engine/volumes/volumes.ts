import { randomBytes } from 'node:crypto';
import { Failure, isFailure } from '../../lib/error.ts';
import type { Store } from '../../store/open-store.ts';
import { checkVolumeDriver, checkVolumeOptions } from '../../store/volume-options.ts';
import type { VolumeRecord } from '../../store/volumes.ts';
import type { Filters } from '../../wire/filters.ts';
import type { VolumeCreateBody, VolumeInspect } from '../../wire/volume.ts';
import type { EventSubject } from '../event-log.ts';
import { danglingFilter, matchesLabels } from '../images/image-filters.ts';
import { volumeSize } from './volume-size.ts';
import { toVolume } from './volume-view.ts';

export interface VolumesNeeds {
  readonly store: Pick<Store, 'volumes'>;
  readonly emit: (event: EventSubject) => void;
}

/** The volumes of a host, as users manage them. All are Docker's driver `local`: a folder of the data root. */
export class Volumes {
  readonly #needs: VolumesNeeds;

  constructor(needs: VolumesNeeds) {
    this.#needs = needs;
  }

  /** Sorted by name. */
  async list({ filters }: { readonly filters: Filters }): Promise<{ Volumes: VolumeInspect[]; Warnings: null }> {
    const { volumes } = this.#needs.store;
    const dangling = danglingFilter(filters);
    const names = (filters['name'] ?? []).map(pattern);
    const found = volumes
      .list()
      .filter(
        ({ name, labels }) =>
          matchesLabels(filters, labels) &&
          (names.length === 0 || names.some((one) => one.test(name))) &&
          (filters['driver'] ?? ['local']).includes('local') &&
          (dangling === undefined || dangling === (volumes.usersOf(name).length === 0)),
      );
    return { Volumes: found.map(toVolume), Warnings: null };
  }

  async inspect(name: string): Promise<VolumeInspect> {
    return toVolume(this.#find(name));
  }

  /** The volume of that name, made when there was none. Without a name it is an anonymous one. */
  async create(body: VolumeCreateBody): Promise<VolumeInspect> {
    const { volumes } = this.#needs.store;
    const { Name: asked = '', Driver = '', DriverOpts: options = {}, Labels: labels = {} } = body;
    checkVolumeDriver(asked, Driver);
    const existing = volumes.get(asked);
    if (existing) return toVolume(existing);
    checkVolumeOptions(asked, options);
    const anonymous = asked === '';
    const name = anonymous ? randomBytes(32).toString('hex') : asked;
    const volume = volumes.create({ name, anonymous, labels, options });
    this.#needs.emit({ type: 'volume', action: 'create', id: name, attributes: { driver: 'local' } });
    return toVolume(volume);
  }

  /** Refuses one that a container uses. With `force` a volume that is not there is no failure. */
  async remove(name: string, { force }: { readonly force: boolean }): Promise<void> {
    try {
      this.#delete(name);
    } catch (error) {
      if (!force || !isFailure(error, 'not-found')) throw error;
    }
  }

  /** Removes what no container uses: anonymous ones only, unless `all`. */
  async prune(options: {
    readonly filters: Filters;
    readonly all: boolean;
  }): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
    const { volumes } = this.#needs.store;
    const VolumesDeleted: string[] = [];
    let SpaceReclaimed = 0;
    for (const volume of volumes.list()) {
      const { name, anonymous, labels } = volume;
      if (!(anonymous || options.all) || !matchesLabels(options.filters, labels)) continue;
      if (volumes.usersOf(name).length > 0) continue;
      SpaceReclaimed += volumeSize(volume);
      this.#delete(name);
      VolumesDeleted.push(name);
    }
    this.#needs.emit({ type: 'volume', action: 'prune', id: '', attributes: { reclaimed: String(SpaceReclaimed) } });
    return { VolumesDeleted, SpaceReclaimed };
  }

  #delete(name: string): void {
    this.#needs.store.volumes.delete(name);
    this.#needs.emit({ type: 'volume', action: 'destroy', id: name, attributes: { driver: 'local' } });
  }

  #find(name: string): VolumeRecord {
    const volume = this.#needs.store.volumes.get(name);
    if (volume) return volume;
    throw new Failure('not-found', 'VOLUME_NOT_FOUND', `get ${name}: no such volume`);
  }
}

/** Names are matched by regular expression, as a client writes it; one that is none matches as text. */
function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  }
}
