/** What the other tests of the registry say, with the metadata in PostgreSQL. */
import { after, test } from 'node:test';
import { NO_POSTGRES, startPostgres } from './test-postgres.ts';
import { useDatabases } from './test-registry.ts';

if (NO_POSTGRES) test('a registry with its metadata in PostgreSQL', { skip: NO_POSTGRES }, () => {});
else {
  const server = await startPostgres();
  useDatabases(() => server.makeDatabase());
  await import('./collect.test.ts');
  await import('./limits.test.ts');
  await import('./nodes.test.ts');
  await import('./http/conformance.test.ts');
  after(() => server[Symbol.asyncDispose]());
}
