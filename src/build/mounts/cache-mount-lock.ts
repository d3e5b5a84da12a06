import { cancelled } from '../../lib/error.ts';

export type CacheSharing = 'shared' | 'private' | 'locked';

/** A cache's folder, held until disposed. */
export interface HeldCache extends Disposable {
  readonly folder: string;
}

/**
 * Who uses which cache mount of this host. `shared` users come together, a `locked` one is alone and waits for its turn,
 * a `private` one takes another folder when the first is in use.
 */
export class CacheMountLocks {
  readonly #users = new Map<string, { shared: number; locked: boolean }>();
  readonly #waiting = new Set<() => void>();

  async take(folder: string, sharing: CacheSharing, signal: AbortSignal): Promise<HeldCache> {
    if (sharing === 'private') {
      let free = folder;
      for (let n = 2; this.#users.has(free); n++) free = `${folder}-${n}`;
      return this.#hold(free, true);
    }
    for (;;) {
      if (signal.aborted) throw cancelled(signal);
      const users = this.#users.get(folder);
      if (!users || (sharing === 'shared' && !users.locked)) return this.#hold(folder, sharing === 'locked');
      await this.#change(signal);
    }
  }

  /** Whether somebody uses it now. */
  isHeld(folder: string): boolean {
    return this.#users.has(folder);
  }

  #hold(folder: string, locked: boolean): HeldCache {
    const users = this.#users.get(folder) ?? { shared: 0, locked };
    if (!locked) users.shared++;
    this.#users.set(folder, users);
    const release = () => {
      if (locked || --users.shared === 0) this.#users.delete(folder);
      for (const wake of [...this.#waiting]) wake();
    };
    return { folder, [Symbol.dispose]: release };
  }

  /** Resolves when some user has ended, or the signal aborts. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** The folders are the machine's, and so are those who use them. */
export const cacheMountLocks = new CacheMountLocks();
