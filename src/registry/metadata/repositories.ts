import type { RepositoryName } from '../names.ts';
import { first, type Work } from './work.ts';

/** Row number of a repository, which is made when it is not known. */
export function* ensureRepository(name: RepositoryName): Work<number> {
  const known = yield* repositoryId(name);
  if (known !== undefined) return known;
  const made = yield* first<{ id: number }>('INSERT INTO repositories (name) VALUES (?) RETURNING id', name);
  return made?.id ?? 0;
}

export function* repositoryId(name: RepositoryName): Work<number | undefined> {
  return (yield* first<{ id: number }>('SELECT id FROM repositories WHERE name = ?', name))?.id;
}
