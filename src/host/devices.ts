import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../lib/error.ts';
import { statFile } from './file-system-calls.ts';

/** A device file in the runtime specification's form. */
export interface DeviceNode {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A rule of the devices controller; a missing number or type means all. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

const NOT_SHARED = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.lxd-mounts', '.udev']);
const S_IFMT = 0o170000;
const TYPES = new Map<number, 'c' | 'b'>([
  [0o020000, 'c'],
  [0o060000, 'b'],
]);

/** All device files of the host, for a privileged container. */
export function hostDevices(folder = '/dev'): DeviceNode[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (NOT_SHARED.has(entry.name)) return [];
    if (entry.isDirectory()) return hostDevices(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    return describe(path, path) ?? [];
  });
}

/** A device file of the host, or all below a folder, as it is to appear in a container. */
export function devicesAt(pathOnHost: string, pathInContainer: string): DeviceNode[] {
  try {
    const real = realpathSync(pathOnHost);
    const nodes = statSync(real).isDirectory()
      ? hostDevices(real).map((node) => ({ ...node, path: pathInContainer + node.path.slice(real.length) }))
      : [describe(real, pathInContainer) ?? []].flat();
    if (nodes.length > 0) return nodes;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new Failure(
      'invalid',
      'DEVICE_MISSING',
      `error gathering device information while adding custom device "${pathOnHost}": no such file or directory`,
    );
  }
  throw new Failure(
    'invalid',
    'DEVICE_INVALID',
    `error gathering device information while adding custom device "${pathOnHost}": not a device node`,
  );
}

/** Numbers of the device that a block device limit names. */
export function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  try {
    const { major, minor } = statFile(realpathSync(path));
    return { major, minor };
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new Failure('invalid', 'DEVICE_MISSING', `stat ${path}: no such file or directory`);
  }
}

function describe(file: string, path: string): DeviceNode | undefined {
  const stat = statFile(file);
  const type = TYPES.get(stat.mode & S_IFMT);
  if (type === undefined) return undefined;
  const { major, minor, uid, gid } = stat;
  return { path, type, major, minor, fileMode: stat.mode & 0o777, uid, gid };
}
