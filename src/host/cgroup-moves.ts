import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cgroups } from './cgroup.ts';

/** The lock stays quick for about 15 ms after a move. */
const AGAIN_AFTER_MS = 8;
const QUICK_FOR_MS = 100;

/**
 * Makes moves of processes into control groups quick. All moves on a machine take one lock, and who takes it first waits
 * for every processor to notice (an RCU grace period: about 10 ms, half of a container's start); who comes soon after
 * does not wait. So a process is moved before a runtime does it: this one, to where it is.
 */
export class CgroupMoves {
  readonly #cgroups: Cgroups;
  #until = 0;
  #moving = false;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** Says that a runtime will start within a moment; that moment begins now. */
  expect(): void {
    this.#until = performance.now() + QUICK_FOR_MS;
    if (this.#moving) return;
    this.#moving = true;
    void this.#move().finally(() => {
      this.#moving = false;
    });
  }

  async #move(): Promise<void> {
    try {
      while (performance.now() < this.#until) {
        // Looked up each time: somebody may have moved this process, and it is to stay there.
        const place = ownProcesses(this.#cgroups);
        if (place === undefined) return;
        await writeFile(place, String(process.pid), { flag: 'r+' });
        await delay(AGAIN_AFTER_MS, undefined, { ref: false });
      }
    } catch {
      // Moves are not allowed here: starts take their time.
    }
  }
}

/** `cgroup.procs` of the group that this process is in, in some tree. */
function ownProcesses({ mode, controllers, trees }: Cgroups): string | undefined {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, names = '', ...path] = line.split(':');
    const tree = mode === 'v2' ? trees[0] : controllers.get(names.split(',')[0] ?? '');
    if (tree !== undefined) return join(tree, path.join(':'), 'cgroup.procs');
  }
  return undefined;
}
