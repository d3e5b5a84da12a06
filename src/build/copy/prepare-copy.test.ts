import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { digestOf } from '../../oci/digest.ts';
import type { CopiedLayer, CopyRequest, CopySource } from './copy-request.ts';
import { checkLayer, makeTestRoot, makeTree, requestOf, rowsOf, SKIP_UNLESS_ROOT } from './copy-test-kit.ts';
import { prepareCopy } from './prepare-copy.ts';

const root = makeTestRoot();
const pool = new WorkerPool(new URL('../../bin/worker.ts', import.meta.url), 2);
after(async () => {
  await pool[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});
const signal = new AbortController().signal;
const scratch = join(root, 'scratch');
const context = join(root, 'context');
makeTree(context, { 'a.txt': 'a', 'not.tar': 'text', 'text.gz': '' });
writeFileSync(join(context, 'text.gz'), gzipSync('only text'));
makeTree(join(root, 'packed'), { 'in/x': 'x', 'in/l': '-> x' });
execFileSync('tar', ['-C', join(root, 'packed'), '--owner=5', '--group=6', '-cf', join(context, 'in.tar'), 'in']);
writeFileSync(join(context, 'in.tgz'), gzipSync(readFileSync(join(context, 'in.tar'))));
let count = 0;

async function copy(
  request: CopyRequest,
  how: { signal: AbortSignal } = { signal },
): Promise<{ folder: string; copied: CopiedLayer }> {
  const folder = join(root, `layer-${++count}`);
  mkdirSync(folder);
  await using job = await prepareCopy(request, { pool, scratch, signal });
  const inputs = await job.inputs({ signal });
  const copied = await job.copy({ folder, time: 1_000_000_000 }, how);
  checkLayer(folder, copied);
  assert.equal(copied.inputs.digest, inputs.digest);
  assert.deepEqual(readdirSync(folder), ['diff', 'index']);
  return { folder, copied };
}

function add(words: string, sources?: readonly CopySource[]): CopyRequest {
  const request = requestOf({ folder: context }, words);
  const kept: readonly CopySource[] = requestSources(words);
  return { ...request, instruction: 'ADD', unpack: true, sources: sources ?? kept };
}

const requestSources = (words: string): CopySource[] =>
  words
    .split(' ')
    .slice(0, -1)
    .map((path) => ({ kind: 'path', path }));

test('many small and some large files on two threads', SKIP_UNLESS_ROOT, async () => {
  const folder = join(root, 'many');
  for (let i = 0; i < 3000; i++) {
    mkdirSync(join(folder, String(i % 7)), { recursive: true });
    writeFileSync(join(folder, String(i % 7), `f${i}`), Buffer.alloc((i * 37) % 9000, i));
  }
  for (let i = 0; i < 70; i++) writeFileSync(join(folder, `big${i}`), Buffer.alloc((1 << 20) + i * 1000, i + 1));
  const request: CopyRequest = {
    ...requestOf({ folder, memo: join(root, 'memos/many') }, '. /x/'),
    sources: requestSources('. /x'),
  };
  const first = await copy(request);
  const again = await copy(request);
  assert.deepEqual(again.copied.facts, first.copied.facts);
  assert.equal(first.copied.facts.entries, 3000 + 70 + 7 + 1);
});

const PACKED = ['x/in directory 755 5:6', 'x/in/l symlink 777 5:6 -> x', 'x/in/x file 644 5:6'];
const ARCHIVES: readonly (readonly [words: string, rows: readonly string[]])[] = [
  ['in.tar /x', ['x directory 755 0:0', ...PACKED]],
  ['in.tgz /x/', ['x directory 755 0:0', ...PACKED]],
  ['in.tgz a.txt /x/', ['x directory 755 0:0', 'x/a.txt file 644 0:0', ...PACKED]],
  ['not.tar /x', ['x file 644 0:0']],
  ['text.gz /x/', ['x directory 755 0:0', 'x/text.gz file 644 0:0']],
];
for (const [words, rows] of ARCHIVES)
  test(`ADD ${words}`, SKIP_UNLESS_ROOT, async () => {
    const { folder } = await copy(add(words));
    assert.deepEqual(rowsOf(folder), rows);
  });

test('ADD of an archive counts by the archive', SKIP_UNLESS_ROOT, async () => {
  const before = (await copy(add('in.tar /x'))).copied.inputs.digest;
  appendFileSync(join(context, 'in.tar'), Buffer.alloc(512));
  assert.notEqual((await copy(add('in.tar /x'))).copied.inputs.digest, before);
});

test('files written in the Dockerfile', SKIP_UNLESS_ROOT, async () => {
  const sources: CopySource[] = [
    { kind: 'inline', name: 'EOF', content: 'hello\n' },
    { kind: 'path', path: 'a.txt' },
  ];
  const { folder } = await copy({ ...add('x /x/', sources), instruction: 'COPY' });
  assert.deepEqual(rowsOf(folder), ['x directory 755 0:0', 'x/EOF file 644 0:0', 'x/a.txt file 644 0:0']);
  assert.equal(readFileSync(join(folder, 'diff/x/EOF'), 'utf8'), 'hello\n');
  assert.deepEqual(readdirSync(scratch), []);
});

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const MODIFIED = 'Sat, 02 Feb 2002 00:00:00 GMT';
const listener: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url ?? '', 'http://x');
  if (pathname === '/file.txt') response.setHeader('last-modified', MODIFIED).end('from the web');
  else if (pathname === '/in.tar') response.end(readFileSync(join(context, 'in.tar')));
  else if (pathname === '/moved') response.writeHead(302, { location: '/file.txt' }).end();
  else if (pathname === '/round') response.writeHead(302, { location: '/round' }).end();
  else if (pathname === '/named/')
    response.setHeader('content-disposition', 'attachment; filename="told.txt"').end('told');
  else if (pathname === '/evil/')
    response.setHeader('content-disposition', 'attachment; filename="../../told"').end('told');
  else if (pathname === '/short') response.writeHead(200, { 'content-length': 100 }).end('short');
  else response.writeHead(404, 'Not Found').end('no');
};

const URLS: readonly (readonly [path: string, destination: string, rows: readonly string[]])[] = [
  ['/file.txt', '/x/', ['x directory 755 0:0', 'x/file.txt file 600 0:0']],
  ['/file.txt?a=b#c', '/x', ['x file 600 0:0']],
  ['/moved', '/x/', ['x directory 755 0:0', 'x/moved file 600 0:0']],
  ['/named/', '/x/', ['x directory 755 0:0', 'x/told.txt file 600 0:0']],
  ['/evil/', '/x', ['x file 600 0:0']],
  ['/in.tar', '/x/', ['x directory 755 0:0', 'x/in.tar file 600 0:0']],
];
for (const [path, destination, rows] of URLS)
  test(`ADD of a URL ${path} to ${destination}`, SKIP_UNLESS_ROOT, async () => {
    await using server = await serve(listener);
    const source: CopySource = { kind: 'url', url: server.url + path, checksum: undefined, unpack: false };
    const { folder } = await copy(add(`url ${destination}`, [source]));
    assert.deepEqual(rowsOf(folder), rows);
    assert.deepEqual(readdirSync(scratch), []);
    if (path === '/file.txt') assert.equal(statSync(join(folder, 'diff/x/file.txt')).mtimeMs, Date.parse(MODIFIED));
  });

test('ADD --checksum', SKIP_UNLESS_ROOT, async () => {
  await using server = await serve(listener);
  const source = { kind: 'url', url: `${server.url}/file.txt`, unpack: false } as const;
  await copy(add('url /x', [{ ...source, checksum: digestOf('from the web') }]));
  await assert.rejects(copy(add('url /x', [{ ...source, checksum: digestOf('other') }])), { code: 'ADD_CHECKSUM' });
});

const BROKEN: readonly (readonly [path: string, destination: string, message: RegExp])[] = [
  ['/nothing', '/x', /failed to GET http:\/\/127\.0\.0\.1:\d+\/nothing with status 404 Not Found/],
  ['/round', '/x', /failed to GET .*\/round: .*redirect/],
  ['/short', '/x', /\/short broke off/],
  ['/evil/', '/x/', /cannot determine filename/],
];
for (const [path, destination, message] of BROKEN)
  test(`ADD of a URL ${path} to ${destination} fails`, async () => {
    await using server = await serve(listener);
    const url = `${server.url}${path}`.replace('http://', 'http://user:secret@');
    const source: CopySource = { kind: 'url', url, checksum: undefined, unpack: false };
    await assert.rejects(copy(add(`url ${destination}`, [source])), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.deepEqual(readdirSync(scratch), []);
  });

test('an abort ends a copy, and the workers are free again', SKIP_UNLESS_ROOT, async () => {
  const folder = join(root, 'aborted');
  mkdirSync(folder);
  for (let i = 0; i < 60; i++) writeFileSync(join(folder, `big${i}`), Buffer.alloc(2 << 20, i));
  const request: CopyRequest = { ...requestOf({ folder }, '. /x/'), sources: requestSources('. /x') };
  const controller = new AbortController();
  const layer = join(root, `layer-${++count}`);
  mkdirSync(layer);
  await using job = await prepareCopy(request, { pool, scratch, signal });
  const onProgress = () => controller.abort();
  await assert.rejects(job.copy({ folder: layer, time: 1 }, { signal: controller.signal, onProgress }), {
    kind: 'cancelled',
  });
  await copy({ ...requestOf({ folder: context }, 'a.txt /x'), sources: requestSources('a.txt /x') });
});

test('more copies than workers', SKIP_UNLESS_ROOT, async () => {
  const request: CopyRequest = { ...requestOf({ folder: context }, '. /x/'), sources: requestSources('. /x') };
  const copies = await Promise.all(Array.from({ length: 8 }, () => copy(request)));
  assert.equal(new Set(copies.map(({ copied }) => copied.facts.diffId)).size, 1);
});
