import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountSharedMemory, unmount } from '../host/mount.ts';
import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { isAlive } from './record.ts';

/**
 * Mounts on the host the shared memory of a container that lets others join its IPC namespace (`--ipc shareable`): a mount
 * of the container's own could not be bound into another one.
 */
export function openSharedMemory(container: Container): void {
  const path = ownSharedMemory(container);
  if (path === undefined) return;
  unmount(path); // of a process that was killed
  mkdirSync(path, { recursive: true, mode: 0o700 });
  mountSharedMemory(path, { size: container.record.hostConfig.ShmSize ?? 0 });
}

export function closeSharedMemory(container: Container): void {
  const path = ownSharedMemory(container);
  if (path !== undefined) unmount(path);
}

/** Where the shared memory of a container is on the host. `find` gives other containers. */
export function sharedMemoryOf(container: Container, find: (ref: string) => Container): string {
  const { id, record } = container;
  const refuse = (why: string) =>
    new Failure('invalid', 'IPC_NOT_SHARED', `failed to join IPC namespace: container ${id}${why}`);
  if (!isAlive(record.phase)) throw refuse(' is not running');
  const mode = record.hostConfig.IpcMode ?? '';
  if (mode === 'host') return '/dev/shm';
  if (mode.startsWith('container:')) return sharedMemoryOf(find(mode.slice('container:'.length)), find);
  const path = ownSharedMemory(container);
  if (path === undefined) throw refuse(': non-shareable IPC (hint: use IpcMode:shareable for the donor container)');
  return path;
}

/** Of a container that lets others join: in the folder of its writable layer, whose mounts are cleared after a crash. */
export function ownSharedMemory({ record, snapshot }: Container): string | undefined {
  return record.hostConfig.IpcMode === 'shareable' ? join(dirname(snapshot.upper), 'shm') : undefined;
}
