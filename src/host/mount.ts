import { readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { Failure, systemCode } from '../lib/error.ts';
import { bind, bindInBackground, check, type NativePath, terminated } from './libc.ts';

const mountCall = bind<
  (source: NativePath, target: NativePath, type: string | null, flags: number, data: string | null) => number
>('int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)');
const umount2 = bind<(target: NativePath, flags: number) => number>('int umount2(const char *target, int flags)');

const umount2Later = bindInBackground<[target: NativePath, flags: number]>(
  'int umount2(const char *target, int flags)',
);

const MS_RDONLY = 0x1;
const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SLAVE = 0x80000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** The kernel copies one page of options and cuts the rest off silently. */
const OPTIONS_LIMIT = 4095;
/** A layer moves on disk and is scanned by the path of its files, so directories and data must not point elsewhere. */
const SELF_CONTAINED = 'redirect_dir=off,metacopy=off,index=off';

export interface OverlayMount {
  /** Read-only layers, the nearest to the upper one first. Relative to the working directory. */
  readonly lower: readonly string[];
  readonly upper: string;
  /** An empty folder on the file system of `upper`. */
  readonly work: string;
  readonly target: string;
  /** Never sync `upper` to disk: for trees that are thrown away if the machine stops. */
  readonly volatile?: boolean;
}

/**
 * Mounts an overlay. At least one lower layer. What the kernel cannot do is a Failure of kind `unsupported`; too many
 * layers for one mount is TOO_MANY_LAYERS.
 */
export function mountOverlay(overlay: OverlayMount): void {
  const upper = `upperdir=${escaped(overlay.upper)},workdir=${escaped(overlay.work)}`;
  const volatile = overlay.volatile ? ',volatile' : '';
  mountLayers(overlay.lower, `,${upper}${volatile}`, 0, overlay.target, overlay.upper);
}

/** Mounts layers for reading only. One layer alone is bound, since an overlay wants two. */
export function mountReadOnlyOverlay(overlay: { readonly lower: readonly string[]; readonly target: string }): void {
  const [first, ...others] = overlay.lower;
  if (first !== undefined && others.length === 0) bindMount(first, overlay.target, { readOnly: true });
  else mountLayers(overlay.lower, '', MS_RDONLY, overlay.target, overlay.target);
}

/** mount(2) as it is. Empty texts are null. */
export function mountFlagged(call: {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: number;
  readonly data: string;
}): void {
  const { source, target, type, flags, data } = call;
  const result = mountCall(source || 'none', terminated(target), type || null, flags, data || null);
  check(result, 'mount', target);
}

/** Makes `source` (a folder or file) visible at `target`, which exists. With `recursive`, its mounts come along. */
export function bindMount(
  source: NativePath,
  target: NativePath,
  options: { readonly readOnly?: boolean; readonly recursive?: boolean } = {},
): void {
  const flags = MS_BIND | (options.recursive ? MS_REC : 0);
  check(mountCall(terminated(source), terminated(target), null, flags, null), 'mount', target);
  if (options.readOnly)
    check(mountCall('none', terminated(target), null, MS_REMOUNT | MS_BIND | MS_RDONLY, null), 'mount', target);
}

/** Mounts an empty file system that is kept in memory and, where the kernel can promise it, never swapped to a disk. */
export function mountMemory(target: string, options: { readonly mode: number }): void {
  const mode = `mode=${options.mode.toString(8)}`;
  const mount = (data: string) =>
    check(mountCall('tmpfs', terminated(target), 'tmpfs', MS_NOSUID | MS_NODEV, data), 'mount', target);
  try {
    mount(`${mode},noswap`);
  } catch (error) {
    if (systemCode(error) !== 'EINVAL') throw error; // a kernel before 6.4
    mount(mode);
  }
}

/** Mounts shared memory as programs expect it at /dev/shm. `size` in bytes. */
export function mountSharedMemory(target: string, options: { readonly size: number }): void {
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  check(mountCall('shm', terminated(target), 'tmpfs', flags, `mode=1777,size=${options.size}`), 'mount', target);
}

/** True when read-only binds can make the mounts below them read-only too: mount_setattr(2) is there since Linux 5.12. */
export function canLockMountsBelow(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 12);
}

/** What happens to a mount and those below it in this mount namespace stays in it; what happens outside still comes in. */
export function makeSlave(target: string): void {
  check(mountCall('none', target, null, MS_REC | MS_SLAVE, null), 'mount', target);
}

/**
 * Ends a mount; a busy one is detached: it disappears at once and ends with its last user. False when there is none.
 */
export function unmount(target: NativePath): boolean {
  for (const flags of [UMOUNT_NOFOLLOW, UMOUNT_NOFOLLOW | MNT_DETACH]) {
    try {
      check(umount2(terminated(target), flags), 'umount', target);
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return false;
      if (code !== 'EBUSY' || flags & MNT_DETACH) throw error;
    }
  }
  return false;
}

/**
 * As `unmount`, without holding up this thread: the kernel writes the whole file system of an overlay's upper folder to
 * the disk first, unless the overlay is volatile.
 */
export async function unmountInBackground(target: NativePath): Promise<boolean> {
  const result = await umount2Later(terminated(target), UMOUNT_NOFOLLOW);
  return result === 0 || unmount(target);
}

/** Mount points at or below an absolute folder, in the order in which they were mounted. */
export function mountsUnder(folder: string): string[] {
  return parseMountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    (point) => point === folder || point.startsWith(folder.endsWith('/') ? folder : `${folder}/`),
  );
}

/** Ends all mounts at or below a folder, the newest first. */
export function unmountAllUnder(folder: string): void {
  for (const point of mountsUnder(folder).reverse()) unmount(point);
}

/** Mount points of a mountinfo document. https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((point) => point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
}

function mountLayers(lower: readonly string[], more: string, flags: number, target: string, storage: string): void {
  const options = `${SELF_CONTAINED},lowerdir=${lower.map(escaped).join(':')}${more}`;
  if (Buffer.byteLength(options) > OPTIONS_LIMIT)
    throw new Failure(
      'unsupported',
      'TOO_MANY_LAYERS',
      `${lower.length} layers need ${Buffer.byteLength(options)} bytes of mount options, the kernel takes ${OPTIONS_LIMIT}`,
      { hint: 'build the image with fewer layers, or with --squash' },
    );
  try {
    check(mountCall('overlay', target, 'overlay', flags, options), 'mount', target);
  } catch (error) {
    throw explained(error, storage);
  }
}

function escaped(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&');
}

const HINT = 'put the data root on ext4, xfs or btrfs (--data-root)';

function explained(error: unknown, storage: string): unknown {
  switch (systemCode(error)) {
    case 'ENODEV':
      return new Failure('unsupported', 'OVERLAY_MISSING', 'this kernel has no overlay file system', {
        hint: 'load it: modprobe overlay',
        cause: error,
      });
    case 'EPERM':
      return new Failure('denied', 'MOUNT_DENIED', 'the kernel does not let the host mount file systems', {
        hint: 'run the host as root, with CAP_SYS_ADMIN',
        cause: error,
      });
    case 'EINVAL':
    case 'EOPNOTSUPP':
      return new Failure(
        'unsupported',
        'OVERLAY_REFUSED',
        `the kernel cannot mount an overlay on ${fileSystemName(storage)} at ${storage}`,
        { hint: HINT, cause: error },
      );
    default:
      return error;
  }
}

const FILE_SYSTEMS = new Map([
  [0x794c7630, 'an overlay'],
  [0x01021994, 'tmpfs'],
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9p'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
]);

function fileSystemName(path: string): string {
  try {
    const { type } = statfsSync(path);
    return FILE_SYSTEMS.get(type) ?? `a file system of type 0x${type.toString(16)}`;
  } catch {
    return 'a folder that is missing';
  }
}
