import { join } from 'node:path';
import { Database } from '../../lib/database.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { Reserve } from '../../lib/reserve.ts';
import type { MetadataStore } from '../metadata-store.ts';
import { STEPS } from './schema.ts';
import { sqliteDatabase } from './sqlite-database.ts';
import { metadataStore } from './store.ts';

/** Opens the metadata of one node: a SQLite file in `root`, for one process. Throws `conflict` REGISTRY_LOCKED. */
export async function openSqliteMetadata(root: string): Promise<MetadataStore> {
  makeFolder(root, 0o700);
  const reserve = new Reserve(join(root, 'reserve'));
  const database = lockedDatabase(root, reserve);
  database.migrate(STEPS);
  // No other node can hold a claim: the lock is ours.
  database.run('UPDATE uploads SET holder = NULL WHERE holder IS NOT NULL');
  reserve.fill();
  const store = metadataStore(await sqliteDatabase(database));
  return {
    ...store,
    // The last step of a collection.
    async forgetKeys(keys) {
      await store.forgetKeys(keys);
      reserve.fill();
    },
  };
}

function lockedDatabase(root: string, reserve: Reserve): Database {
  try {
    return new Database(join(root, 'registry.db'), { reserve });
  } catch (error) {
    if (!isFailure(error) || error.code !== 'DATABASE_LOCKED') throw error;
    throw new Failure('conflict', 'REGISTRY_LOCKED', `the data folder ${root} is in use by another registry`, {
      cause: error,
      hint: 'stop that one, or choose another folder with --data',
    });
  }
}
