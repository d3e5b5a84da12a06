/** Hits and misses of the build cache, as BuildKit decides them but for stale content; scripts/compare-cache.ts shows both. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cacheTable } from './cache-table.ts';
import { prepareBases, tryRow } from './cache-table-run.ts';
import { importBusybox, startHost, type TestHost } from './harness.ts';

let host: TestHost;

const builder = () => ({ command: host.ok, socket: host.socket });

before(async () => {
  host = await startHost();
  await importBusybox(host);
  await prepareBases(host.folder, builder());
});
after(async () => await host[Symbol.asyncDispose]());

describe('hits and misses', { concurrency: 2 }, () => {
  for (const row of cacheTable)
    test(`${row.expect}: ${row.name}`, async () => {
      assert.equal(await tryRow(host.folder, row, builder()), row.expect);
    });
});
