import { Failure, systemReason } from '../lib/error.ts';
import { mountFlagged } from './mount.ts';

/** A file system to mount, as mount(8) takes it: `type` -t, `options` -o. */
export interface FileSystemMount {
  readonly type: string;
  readonly device: string;
  readonly options: string;
  /** A folder; absolute. */
  readonly target: string;
}

const BIND = 0x1000;
const READ_ONLY = 0x1;
const REMOUNT = 0x20;
/** Of these the kernel takes nothing else in the same call: MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED. */
const PROPAGATION = 0x20000 | 0x40000 | 0x80000 | 0x100000;

/** Options that are flags of mount(2): bits to set and to clear. What is not here goes to the file system as it is. */
const FLAGS: ReadonlyMap<string, readonly [set: number, clear: number]> = new Map([
  ['defaults', [0, 0]],
  ['ro', [READ_ONLY, 0]],
  ['rw', [0, READ_ONLY]],
  ['suid', [0, 0x2]],
  ['nosuid', [0x2, 0]],
  ['dev', [0, 0x4]],
  ['nodev', [0x4, 0]],
  ['exec', [0, 0x8]],
  ['noexec', [0x8, 0]],
  ['async', [0, 0x10]],
  ['sync', [0x10, 0]],
  ['remount', [REMOUNT, 0]],
  ['mand', [0x40, 0]],
  ['nomand', [0, 0x40]],
  ['dirsync', [0x80, 0]],
  ['atime', [0, 0x400]],
  ['noatime', [0x400, 0]],
  ['diratime', [0, 0x800]],
  ['nodiratime', [0x800, 0]],
  ['bind', [BIND, 0]],
  ['rbind', [BIND | 0x4000, 0]],
  ['relatime', [0x200000, 0]],
  ['norelatime', [0, 0x200000]],
  ['strictatime', [0x1000000, 0]],
  ['nostrictatime', [0, 0x1000000]],
  ['unbindable', [0x20000, 0]],
  ['runbindable', [0x24000, 0]],
  ['private', [0x40000, 0]],
  ['rprivate', [0x44000, 0]],
  ['slave', [0x80000, 0]],
  ['rslave', [0x84000, 0]],
  ['shared', [0x100000, 0]],
  ['rshared', [0x104000, 0]],
]);

/**
 * Mounts a file system. Blocks this thread for as long as the kernel takes: of a server that does not answer, minutes. What
 * the kernel refuses is a Failure in the words of Docker; a password among the options is not told.
 */
export function mountFileSystem({ type, device, options, target }: FileSystemMount): void {
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const option of options.split(',').filter(Boolean)) {
    const known = FLAGS.get(option);
    if (known === undefined) data.push(option);
    else if (known[0] & PROPAGATION) propagation |= known[0];
    else flags = (flags & ~known[1]) | known[0];
  }
  const text = data.join(',');
  try {
    mountFlagged({ source: device, target, type, flags, data: text });
    if (propagation) mountFlagged({ source: '', target, type: '', flags: propagation, data: '' });
    // The first call of a bind takes no other flag.
    if (flags & BIND && flags & READ_ONLY)
      mountFlagged({ source: '', target, type: '', flags: flags | REMOUNT, data: text });
  } catch (error) {
    const shown = [
      `mount ${device}:${target}`,
      ...(flags ? [`flags: 0x${flags.toString(16)}`] : []),
      ...(text === '' ? [] : [`data: ${text.replace(/password=[^,]*/, 'password=********')}`]),
    ].join(', ');
    throw new Failure('unavailable', 'MOUNT_REFUSED', `${shown}: ${systemReason(error)}`, { cause: error });
  }
}

/** For a worker thread. */
export const mountTasks = { 'mount-file-system': mountFileSystem };
