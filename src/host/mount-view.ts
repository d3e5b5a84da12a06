import { closeSync, openSync } from 'node:fs';
import { bind, check } from './libc.ts';
import { bindMount, makeSlave } from './mount.ts';

const unshare = bind<(flags: number) => number>('int unshare(int flags)');
const setns = bind<(fd: number, type: number) => number>('int setns(int fd, int type)');
const fchdir = bind<(fd: number) => number>('int fchdir(int fd)');
const chroot = bind<(path: string) => number>('int chroot(const char *path)');
const CLONE_NEWNS = 0x20000;

/** What is seen in place of something else. */
export interface Cover {
  readonly path: string;
  readonly shown: string;
}

/**
 * Calls `action` while this thread sees at `path` what is at `shown`; programs that `action` starts never see anything else
 * there. Nothing changes for anybody else. For the main thread only. To cover a mount is much quicker than to end it, which
 * waits for all processors.
 */
export function withCover<T>({ path, shown }: Cover, action: () => T): T {
  const home = openSync('/proc/self/ns/mnt', 'r');
  const root = openSync('/', 'r');
  const folder = openSync('.', 'r');
  try {
    check(unshare(CLONE_NEWNS), 'unshare');
    try {
      makeSlave('/');
      bindMount(shown, path);
      return action();
    } finally {
      check(setns(home, CLONE_NEWNS), 'setns');
      // Coming home moves the thread to the root of all mounts, which is not ours where the host runs in a changed root.
      check(fchdir(root), 'fchdir');
      check(chroot('.'), 'chroot');
      check(fchdir(folder), 'fchdir');
    }
  } finally {
    for (const fd of [folder, root, home]) closeSync(fd);
  }
}
