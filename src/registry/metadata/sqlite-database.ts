import type { Database } from '../../lib/database.ts';
import { walSync } from './durable.ts';
import type { MetadataDatabase, Nature, Query, Work } from './work.ts';

/** Does the store's work in a SQLite file of this process: statement by statement, without waiting for anything but the disk. */
export async function sqliteDatabase(database: Database): Promise<MetadataDatabase & AsyncDisposable> {
  const sync = await walSync(database.path);
  const transact = <T>(work: () => Work<T>, nature?: Nature): T => {
    const driven = () => drive(database, work());
    return nature === 'frees' ? database.freeing(driven) : database.transaction(driven);
  };
  return {
    async rows<Row>({ sql, values }: Query<Row>) {
      return database.all<Row>(sql, ...values);
    },
    async first<Row>({ sql, values }: Query<Row>) {
      return database.get<Row>(sql, ...values);
    },
    async transaction(work, nature) {
      return transact(work, nature);
    },
    async durable(work, nature) {
      const result = transact(work, nature);
      await sync.durable();
      return result;
    },
    async [Symbol.asyncDispose]() {
      await sync[Symbol.asyncDispose]();
      database[Symbol.dispose]();
    },
  };
}

function drive<T>(database: Database, work: Work<T>): T {
  let step = work.next([]);
  while (step.done !== true)
    step = work.next(step.value.queries.map(({ sql, values }) => database.all(sql, ...values)));
  return step.value;
}
