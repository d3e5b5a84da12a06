import type { Database } from '../../lib/database.ts';
import type { RepositoryName } from '../names.ts';

/** Row number of a repository, which is made when it is not known. Call it in a transaction. */
export function ensureRepository(database: Database, name: RepositoryName): number {
  const known = repositoryId(database, name);
  if (known !== undefined) return known;
  database.run('INSERT INTO repositories (name) VALUES (?)', name);
  return repositoryId(database, name) ?? 0;
}

export function repositoryId(database: Database, name: RepositoryName): number | undefined {
  return database.get<{ id: number }>('SELECT id FROM repositories WHERE name = ?', name)?.id;
}
