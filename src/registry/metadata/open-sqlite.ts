import { join } from 'node:path';
import { Database } from '../../lib/database.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import type { MetadataStore } from '../metadata-store.ts';
import { STEPS } from './schema.ts';
import { sqliteDatabase } from './sqlite-database.ts';
import { metadataStore } from './store.ts';

/** Opens the metadata of one node: a SQLite file in `root`, for one process. Throws `conflict` REGISTRY_LOCKED. */
export async function openSqliteMetadata(root: string): Promise<MetadataStore> {
  makeFolder(root, 0o700);
  const database = lockedDatabase(root);
  database.migrate(STEPS);
  // No other node can hold a claim: the lock is ours.
  database.run('UPDATE uploads SET holder = NULL WHERE holder IS NOT NULL');
  return metadataStore(await sqliteDatabase(database));
}

function lockedDatabase(root: string): Database {
  try {
    return new Database(join(root, 'registry.db'));
  } catch (error) {
    if (!isFailure(error) || error.code !== 'DATABASE_LOCKED') throw error;
    throw new Failure('conflict', 'REGISTRY_LOCKED', `the data folder ${root} is in use by another registry`, {
      cause: error,
      hint: 'stop that one, or choose another folder with --data',
    });
  }
}
