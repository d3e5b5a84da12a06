import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { posix } from 'node:path';
import { canLockMountsBelow } from '../host/mount.ts';
import { Failure, isFailure } from '../lib/error.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';
import { checkVolumeDriver, checkVolumeOptions } from '../store/volume-options.ts';
import type { NewVolume, VolumeRecord } from '../store/volumes.ts';
import type { ContainerConfig, HostConfig, MountRequest } from '../wire/container.ts';

/** A mount that a container was created with. Part of its record. */
export type PlannedMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly destination: string;
      readonly readOnly: boolean;
      readonly propagation: string;
      readonly recursive: boolean;
      /** With `readOnly`, mounts below it stay writable. Not set in records of before. */
      readonly writableBelow?: boolean;
      /** As the user wrote it. */
      readonly mode?: string;
    }
  | {
      readonly type: 'volume';
      readonly name: string;
      readonly source: string;
      readonly destination: string;
      readonly readOnly: boolean;
      /** Fill the volume, while it is empty, with what the image has there. */
      readonly copy: boolean;
      /** Made for this container; goes with it when that is asked for. */
      readonly anonymous: boolean;
      readonly mode?: string;
      /** Only this path below the volume's root, and where the host makes it visible. */
      readonly subpath?: string;
      readonly place?: string;
    }
  | {
      readonly type: 'image';
      /** As the user wrote it. */
      readonly name: string;
      readonly image: ImageId;
      /** Bottom first. */
      readonly layers: readonly DiffId[];
      /** Where the host makes it visible. */
      readonly source: string;
      readonly destination: string;
      readonly readOnly: true;
      /** Only this path of it; '' is all. */
      readonly subpath: string;
      readonly place: string;
    }
  | {
      readonly type: 'tmpfs';
      readonly destination: string;
      readonly options: readonly string[];
      /** Stated as a mount, which `inspect` lists, not by HostConfig.Tmpfs. */
      readonly listed: boolean;
    };

export interface MountSources {
  /** The volume of that name, made when there is none. */
  volume(volume: NewVolume): VolumeRecord;
  /** An image on this host. */
  image(ref: string): { readonly id: ImageId; readonly layers: readonly DiffId[] };
  /** A path of the new container's own, another each time: where the host may make a mount's source visible. */
  place(): string;
  /** Mounts of another container, for VolumesFrom. */
  mountsOf(container: string): readonly PlannedMount[];
}

/**
 * All mounts of a new container: Binds, Mounts, Tmpfs, VolumesFrom, and an anonymous volume for each VOLUME of the image
 * that none of them covers. Makes the volumes, and missing folders of Binds. Failures are in Docker's words.
 */
export function planMounts(config: ContainerConfig, host: HostConfig, sources: MountSources): PlannedMount[] {
  const planned = new Map<string, PlannedMount>();
  const add = (mount: PlannedMount) => {
    if (planned.has(mount.destination)) throw invalid(`Duplicate mount point: ${mount.destination}`);
    planned.set(mount.destination, mount);
  };
  for (const from of host.VolumesFrom ?? []) {
    const [container = '', mode = ''] = from.split(/:(.*)/s);
    if (container === '') throw invalid('volumes-from specification cannot be an empty string');
    const readOnly = isReadOnly(mode);
    for (const mount of inheritedMounts(container, sources)) {
      if (mount.type === 'tmpfs') continue;
      planned.set(mount.destination, inherited(mount, readOnly, sources));
    }
  }
  const fromOthers = new Set(planned.keys());
  const explicit = [
    ...(host.Binds ?? []).map((bind) => fromBind(bind, host.VolumeDriver ?? '', sources)),
    ...(host.Mounts ?? []).map((mount) => fromRequest(mount, sources)),
    ...Object.entries(host.Tmpfs ?? {}).map(([path, options]) => fromTmpfs(path, options)),
  ];
  for (const mount of explicit) {
    if (fromOthers.delete(mount.destination)) planned.delete(mount.destination);
    add(mount);
  }
  for (const path of Object.keys(config.Volumes ?? {})) {
    const destination = checkedDestination(path, path, 'volume');
    if (!planned.has(destination)) add(volumeMount(undefined, destination, { readOnly: false, copy: true }, sources));
  }
  return [...planned.values()];
}

/** What the options of VolumesFrom say, of each kind one at most. */
function isReadOnly(mode: string): boolean {
  const options = mode.split(',').filter(Boolean);
  const kinds = options.map((option) => BIND_OPTIONS.get(option));
  const isWrong = kinds.some((kind, index) => (kind !== 'access' && kind !== 'label') || kinds.indexOf(kind) !== index);
  if (isWrong) throw invalid(`invalid mode: ${mode}`);
  return options.includes('ro');
}

function inherited(
  mount: Exclude<PlannedMount, { type: 'tmpfs' }>,
  readOnly: boolean,
  sources: MountSources,
): PlannedMount {
  if (mount.type === 'bind') return { ...mount, readOnly: mount.readOnly || readOnly, mode: '' };
  const place = mount.place === undefined ? {} : { place: sources.place() };
  if (mount.type === 'volume') return { ...mount, ...place, readOnly: mount.readOnly || readOnly, mode: '' };
  return { ...mount, ...place };
}

/** Not there is said as a wrong option: clients take "not found" for a missing image. */
function inheritedMounts(container: string, sources: MountSources): readonly PlannedMount[] {
  try {
    return sources.mountsOf(container);
  } catch (error) {
    throw isFailure(error, 'not-found') ? invalid(error.message) : error;
  }
}

const PROPAGATIONS = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);

/** `source:destination[:options]` or `destination` alone, as in `-v`. */
function fromBind(bind: string, driver: string, sources: MountSources): PlannedMount {
  const [first = '', second, mode = '', rest] = bind.split(':');
  if (rest !== undefined || first === '' || second === '') throw invalid(`invalid volume specification: '${bind}'`);
  const options = mode.split(',').filter(Boolean);
  let readOnly = false;
  let copy = true;
  let propagation = 'rprivate';
  const kinds = new Set<string>();
  for (const option of options) {
    const kind = PROPAGATIONS.has(option) ? 'propagation' : BIND_OPTIONS.get(option);
    if (kind === undefined || kinds.has(kind)) throw invalid(`invalid mode: ${mode}`);
    kinds.add(kind);
    if (option === 'ro') readOnly = true;
    if (option === 'nocopy') copy = false;
    if (kind === 'propagation') propagation = option;
  }
  const type = first.startsWith('/') && second !== undefined ? 'bind' : 'volume';
  const destination = checkedDestination(second ?? first, bind, type);
  const wrong = (field: string) =>
    invalid(
      `invalid volume specification: '${bind}': invalid mount config for type "${type}": field ${field} must not be specified`,
    );
  if (type === 'volume') {
    if (kinds.has('propagation')) throw wrong('BindOptions');
    const shown = second === undefined ? {} : { mode: mode || 'z' };
    return { ...volumeMount(second && first, destination, { readOnly, copy, driver }, sources), ...shown };
  }
  if (kinds.has('copy')) throw wrong('VolumeOptions');
  const source = posix.resolve(first);
  if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o755 });
  return { type, source, destination, readOnly, propagation, recursive: true, writableBelow: false, mode };
}

/** Options of `-v`, of each kind one at most. */
const BIND_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['ro', 'access'],
  ['rw', 'access'],
  ['z', 'label'],
  ['Z', 'label'],
  ['nocopy', 'copy'],
  ['consistent', 'consistency'],
  ['cached', 'consistency'],
  ['delegated', 'consistency'],
]);

function fromRequest(mount: MountRequest, sources: MountSources): PlannedMount {
  const wrong = (what: string) => invalid(`invalid mount config for type "${mount.Type}": ${what}`);
  if (!mount.Target) throw wrong('field Target must not be empty');
  if (!mount.Target.startsWith('/')) throw wrong(`invalid mount path: '${mount.Target}' mount path must be absolute`);
  const destination = posix.resolve(mount.Target);
  if (destination === '/') throw wrong("invalid specification: destination can't be '/'");
  const readOnly = mount.ReadOnly ?? false;
  for (const [type, field] of OWN_OPTIONS)
    if (mount[field] && mount.Type !== type) throw wrong(`field ${field} must not be specified`);
  switch (mount.Type) {
    case 'bind': {
      const { Propagation = '', NonRecursive = false, CreateMountpoint = false } = mount.BindOptions ?? {};
      const { ReadOnlyNonRecursive = false, ReadOnlyForceRecursive = false } = mount.BindOptions ?? {};
      const source = mount.Source ?? '';
      if (source === '') throw wrong('field Source must not be empty');
      if ((ReadOnlyNonRecursive || ReadOnlyForceRecursive) && !readOnly)
        throw wrong('mount type BindOptions.ReadOnlyNonRecursive and ReadOnlyForceRecursive need a read-only mount');
      if (ReadOnlyForceRecursive && (NonRecursive || ReadOnlyNonRecursive || !canLockMountsBelow()))
        throw wrong('BindOptions.ReadOnlyForceRecursive cannot be followed');
      if (!source.startsWith('/')) throw wrong(`invalid mount path: '${source}' mount path must be absolute`);
      if (Propagation !== '' && !PROPAGATIONS.has(Propagation)) throw wrong(`invalid propagation mode: ${Propagation}`);
      if (!existsSync(source)) {
        if (!CreateMountpoint) throw wrong(`bind source path does not exist: ${source}`);
        mkdirSync(source, { recursive: true, mode: 0o755 });
      }
      const propagation = Propagation || 'rprivate';
      return {
        type: 'bind',
        source: posix.resolve(source),
        destination,
        readOnly,
        propagation,
        recursive: !NonRecursive,
        writableBelow: ReadOnlyNonRecursive,
        mode: '',
      };
    }
    case 'volume': {
      const { NoCopy = false, Labels, DriverConfig = {}, Subpath = '' } = mount.VolumeOptions ?? {};
      if (Subpath !== '' && !mount.Source) throw wrong('must not set Subpath when using anonymous volumes');
      if (!isLocal(Subpath)) throw wrong('subpath must be a relative path within the volume');
      const { Name: driver, Options } = DriverConfig;
      const how = { readOnly, copy: !NoCopy, driver, labels: Labels, options: Options };
      const part = Subpath === '' ? {} : { subpath: Subpath, place: sources.place() };
      return { ...volumeMount(mount.Source || undefined, destination, how, sources), ...part, mode: 'z' };
    }
    case 'image': {
      const { Subpath = '' } = mount.ImageOptions ?? {};
      const name = mount.Source ?? '';
      if (name === '') throw wrong('field Source must not be empty');
      if (!isLocal(Subpath)) throw wrong('subpath must be a relative path within the volume');
      const { id, layers } = imageOf(name, sources);
      const place = sources.place();
      return {
        type: 'image',
        name,
        image: id,
        layers,
        source: place,
        destination,
        readOnly: true,
        subpath: Subpath,
        place,
      };
    }
    case 'tmpfs': {
      if (mount.Source) throw wrong('field Source must not be specified');
      const { SizeBytes, Mode, Options = [] } = mount.TmpfsOptions ?? {};
      const stated = Options.map((option) => option.join('='));
      const options = [...tmpfsOptions(stated), ...(readOnly ? ['ro'] : [])];
      if (SizeBytes) options.push(`size=${SizeBytes}`);
      if (Mode) options.push(`mode=${Mode.toString(8)}`);
      return { type: 'tmpfs', destination, options, listed: true };
    }
    default:
      throw wrong('mount type unknown');
  }
}

const OWN_OPTIONS = [
  ['bind', 'BindOptions'],
  ['volume', 'VolumeOptions'],
  ['image', 'ImageOptions'],
  ['tmpfs', 'TmpfsOptions'],
] as const;

/** Whether a path stays, as it is written, where it begins. */
function isLocal(path: string): boolean {
  return !path.startsWith('/') && !/^\.\.(?:\/|$)/.test(posix.normalize(path));
}

/** Not there is said as a wrong option, as above. */
function imageOf(name: string, sources: MountSources) {
  try {
    return sources.image(name);
  } catch (error) {
    throw isFailure(error, 'not-found') ? invalid(error.message) : error;
  }
}

const TMPFS_DEFAULT = ['noexec', 'nosuid', 'nodev', 'rprivate'];
const TMPFS_OPTION =
  /^(?:rw|ro|(?:no)?(?:exec|suid|dev|atime|diratime)|(?:rel|strict)atime|(?:size|nr_blocks|nr_inodes)=\d+[kmgKMG%]?|mode=[0-7]{1,4}|[ug]id=\d+)$/;

/** The defaults, less those of which the opposite is stated, and what is stated. */
function tmpfsOptions(stated: readonly string[]): string[] {
  const wrong = stated.find((option) => !TMPFS_OPTION.test(option));
  if (wrong !== undefined) throw invalid(`invalid tmpfs option "${wrong}"`);
  const opposites = new Set(stated.map((option) => `no${option}`));
  return [...TMPFS_DEFAULT.filter((option) => !opposites.has(option)), ...stated];
}

function fromTmpfs(path: string, text: string): PlannedMount {
  const options = tmpfsOptions(text.split(',').filter(Boolean));
  return { type: 'tmpfs', destination: tmpfsDestination(path), options, listed: false };
}

function volumeMount(
  name: string | undefined,
  destination: string,
  how: {
    readonly readOnly: boolean;
    readonly copy: boolean;
    readonly driver?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly options?: Readonly<Record<string, string>> | undefined;
  },
  sources: MountSources,
): Extract<PlannedMount, { type: 'volume' }> {
  const { readOnly, copy, driver = '', labels = {}, options = {} } = how;
  const anonymous = name === undefined;
  checkNewVolume(name ?? '', driver, options);
  const volume = sources.volume({ name: name ?? randomBytes(32).toString('hex'), anonymous, labels, options });
  const isMemory = volume.options['type'] === 'tmpfs'; // what is copied there would be gone after each run
  return {
    type: 'volume',
    name: volume.name,
    source: volume.path,
    destination,
    readOnly,
    copy: copy && !isMemory,
    anonymous,
  };
}

/** Said as a wrong option: clients take "not found" for a missing image. */
function checkNewVolume(name: string, driver: string, options: Readonly<Record<string, string>>): void {
  try {
    checkVolumeDriver(name, driver);
  } catch (error) {
    throw isFailure(error, 'not-found') ? invalid(error.message) : error;
  }
  checkVolumeOptions(name, options);
}

function checkedDestination(path: string, specification: string, type: 'bind' | 'volume'): string {
  const refusal = (what: string) =>
    invalid(`invalid volume specification: '${specification}': invalid mount config for type "${type}": ${what}`);
  if (!path.startsWith('/')) throw refusal(`invalid mount path: '${path}' mount path must be absolute`);
  const destination = posix.resolve(path);
  if (destination === '/') throw refusal("invalid specification: destination can't be '/'");
  return destination;
}

function tmpfsDestination(path: string): string {
  if (!path.startsWith('/')) throw invalid(`invalid mount path: '${path}' mount path must be absolute`);
  if (posix.resolve(path) === '/') throw invalid("invalid specification: destination can't be '/'");
  return posix.resolve(path);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'MOUNT_INVALID', message);
}
