import { statSync } from 'node:fs';
import { canLockMountsBelow } from '../host/mount.ts';
import type { SpecMount } from '../host/spec.ts';
import type { MountPoint } from '../wire/container.ts';
import type { PlannedMount } from './mounts.ts';

/** The mounts in the runtime's form. */
export function specMounts(mounts: readonly PlannedMount[]): SpecMount[] {
  return mounts.map(toSpec);
}

/** The mounts as `inspect` lists them. */
export function mountPoints(mounts: readonly PlannedMount[]): MountPoint[] {
  return mounts.filter((mount) => mount.type !== 'tmpfs' || mount.listed).map(toMountPoint);
}

function toSpec(mount: PlannedMount): SpecMount {
  const { destination } = mount;
  switch (mount.type) {
    case 'tmpfs':
      return { destination, type: 'tmpfs', source: 'tmpfs', options: mount.options };
    case 'volume':
    case 'image':
      return { destination, type: 'bind', source: mount.source, options: ['rbind', 'rprivate', access(mount)] };
    case 'bind': {
      const bind = mount.recursive ? 'rbind' : 'bind';
      const rights = locksBelow(mount) ? 'rro' : access(mount);
      return { destination, type: 'bind', source: mount.source, options: [bind, mount.propagation, rights] };
    }
  }
}

function toMountPoint(mount: PlannedMount): MountPoint {
  const Destination = mount.destination;
  if (mount.type === 'tmpfs') return { Type: 'tmpfs', Source: '', Destination, Mode: '', RW: true, Propagation: '' };
  if (mount.type === 'image')
    return { Type: 'image', Name: mount.name, Source: mount.source, Destination, Mode: '', RW: false, Propagation: '' };
  const Mode = mount.mode ?? (mount.readOnly ? 'ro' : '');
  const common = { Source: mount.source, Destination, Mode, RW: !mount.readOnly };
  if (mount.type === 'bind') return { Type: 'bind', ...common, Propagation: mount.propagation };
  return { Type: 'volume', Name: mount.name, ...common, Driver: 'local', Propagation: '' };
}

/** Read-only means the mounts below too, where the kernel can do that. Below a file there are none, and crun looks for some. */
function locksBelow(mount: Extract<PlannedMount, { type: 'bind' }>): boolean {
  if (!mount.readOnly || !mount.recursive || mount.writableBelow !== false || !canLockMountsBelow()) return false;
  return statSync(mount.source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function access(mount: { readonly readOnly: boolean }): 'ro' | 'rw' {
  return mount.readOnly ? 'ro' : 'rw';
}
