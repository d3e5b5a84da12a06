import { open } from 'node:fs/promises';

/** Makes commits durable without a sync for each. */
export interface WalSync extends AsyncDisposable {
  /** Resolves when everything that was committed before the call is on disk. */
  durable(): Promise<void>;
}

/**
 * Syncs the write-ahead log of the database at `path`: one sync for all who wait. SQLite itself syncs it at checkpoints only
 * (synchronous = NORMAL), and after a power cut takes what of the log is whole. https://www.sqlite.org/wal.html
 */
export async function walSync(path: string): Promise<WalSync> {
  const log = await open(`${path}-wal`, 'r+');
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const start = (): Promise<void> => {
    const sync = log.datasync().finally(() => {
      if (running === sync) running = undefined;
    });
    running = sync;
    return sync;
  };

  return {
    durable() {
      if (!running) return start();
      // The one that runs may have begun before the caller's commit.
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined;
          return start();
        });
      return next;
    },
    async [Symbol.asyncDispose]() {
      await (next ?? running)?.catch(() => {});
      await log.close();
    },
  };
}
