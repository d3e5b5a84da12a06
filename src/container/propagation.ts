import { readFileSync, realpathSync } from 'node:fs';
import { Failure } from '../lib/error.ts';
import type { PlannedMount } from './mounts.ts';

/** Refuses a bind whose mounts were to be shared with the host, where the host's own mount does not let them. */
export function checkPropagation(mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) {
    if (mount.type !== 'bind' || /^r?private$/.test(mount.propagation)) continue;
    const wantsShared = /^r?shared$/.test(mount.propagation);
    const { place, isShared, isSlave } = mountOf(realpathSync(mount.source));
    if (isShared || (isSlave && !wantsShared)) continue;
    const what = wantsShared ? 'a shared mount' : 'a shared or slave mount';
    throw new Failure(
      'invalid',
      'MOUNT_NOT_SHARED',
      `path ${mount.source} is mounted on ${place} but it is not ${what}`,
    );
  }
}

/** The mount of this machine that a path lies in. https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
function mountOf(path: string): { readonly place: string; readonly isShared: boolean; readonly isSlave: boolean } {
  let found = { place: '', isShared: false, isSlave: false };
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = ''] = line.split(' - ', 1);
    const [, , , , escaped = '', , ...tags] = before.split(' ');
    const place = escaped.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    const isAround = place !== '' && (place === '/' || path === place || path.startsWith(`${place}/`));
    // Of two mounts at one place the later one is seen.
    if (isAround && place.length >= found.place.length)
      found = {
        place,
        isShared: tags.some((tag) => tag.startsWith('shared:')),
        isSlave: tags.some((tag) => tag.startsWith('master:')),
      };
  }
  return found;
}
