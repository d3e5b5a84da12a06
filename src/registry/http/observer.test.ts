import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { openAccessLog } from '../access-log.ts';
import { makeMetrics } from '../metrics.ts';
import { openTestRegistry } from '../test-registry.ts';
import { serveMetrics } from './metrics-server.ts';

test('every request is counted and logged, without its query', async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'strake-access-log');
  const file = join(scratch.path, 'access.log');
  const metrics = makeMetrics();
  await using log = openAccessLog(file, silentLog);
  await using registry = await openTestRegistry({ observers: [metrics.observe, log.observe] });
  await registry.send('GET', '/v2/', { headers: { 'user-agent': 'a client' } });
  await registry.send('GET', '/v2/team/app/manifests/none?secret=word');
  await registry.send('POST', '/v2/team/app/blobs/uploads/');
  await registry.send('BREW', '/v2/');
  await registry[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.map(({ method, path, route, status }) => [method, path, route, status]),
    [
      ['GET', '/v2/', 'base', 200],
      ['GET', '/v2/team/app/manifests/none', 'manifest', 404],
      ['POST', '/v2/team/app/blobs/uploads/', 'uploads', 202],
    ],
  );
  assert.equal(rows[0].agent, 'a client');
  assert.ok(rows[0].bytes > 100 && rows[0].milliseconds > 0 && rows[0].cut === false);
  const text = metrics.render();
  assert.match(text, /^registry_http_requests_total\{method="GET",route="manifest",status="404"\} 1$/m);
  assert.match(text, /^registry_http_request_seconds_count\{route="uploads"\} 1$/m);
  assert.match(text, /^registry_http_request_seconds_bucket\{route="base",le="\+Inf"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
});

test('metrics are served alone', async () => {
  await using server = await serveMetrics(makeMetrics(), '127.0.0.1', 0);
  const get = (path: string) => fetch(`http://${server.address}${path}`, { headers: { connection: 'close' } });
  const answer = await get('/metrics');
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/plain; version=0.0.4']);
  assert.match(await answer.text(), /^# TYPE process_cpu_seconds_total counter$/m);
  const other = await get('/v2/');
  assert.equal(other.status, 404);
  await other.body?.cancel();
});
