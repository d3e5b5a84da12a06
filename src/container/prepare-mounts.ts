import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { kindInside, makeInside, openInside } from '../host/inside-root.ts';
import { Failure } from '../lib/error.ts';
import type { PlannedMount } from './mounts.ts';

/** Puts into volumes that are empty what the image has at their place. `root` is the container's file system. */
export async function fillVolumes(mounts: readonly PlannedMount[], root: string): Promise<void> {
  for (const mount of mounts) if (mount.type === 'volume' && mount.copy) await fillVolume(mount, root);
}

/** Fills the volumes, and makes the places for all mounts of files and folders of the host. They stay, as with Docker. */
export async function prepareMounts(mounts: readonly PlannedMount[], root: string): Promise<void> {
  await fillVolumes(mounts, root);
  for (const mount of mounts) {
    const stat = mount.type === 'tmpfs' ? undefined : statSync(mount.source, { throwIfNoEntry: false });
    if (stat) makeInside(root, mount.destination, stat.isDirectory() ? 'folder' : 'file');
  }
}

/** Copies what the image has at the destination into an empty volume, with owners and modes. */
async function fillVolume(mount: Extract<PlannedMount, { type: 'volume' }>, root: string): Promise<void> {
  if (!statSync(mount.source).isDirectory()) return; // a part of a volume
  if (readdirSync(mount.source).length > 0 || kindInside(root, mount.destination) !== 'folder') return;
  using folder = openInside(root, mount.destination);
  const copy = spawn('cp', ['-a', '--', '/proc/self/fd/3/.', mount.source], {
    stdio: ['ignore', 'ignore', 'pipe', folder.fd],
  });
  let complaint = '';
  copy.stderr?.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(0, 4096);
  });
  const [code] = await once(copy, 'close');
  if (code !== 0) throw new Failure('internal', 'VOLUME_COPY', `cannot fill volume ${mount.name}: ${complaint.trim()}`);
}
