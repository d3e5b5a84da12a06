/** Blobs that a host of the same machine hands over as files. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Scope } from '../lib/scope.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { collect } from './collect.ts';
import { openFileBlobs } from './file-blobs.ts';
import { openHandoff } from './handoff.ts';
import { openTestRegistry, type TestRegistry } from './test-registry.ts';

const scope = new Scope();
const scratch = scope.use(makeScratchFolder(tmpdir(), 'strake-handoff')).path;
const [host, data] = [join(scratch, 'host'), join(scratch, 'data')];
const stored = join(host, 'content/sha256/stored');
const name = 'a'.repeat(32);
const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

let registry: TestRegistry;
let folder: string;

before(async () => {
  for (const path of [join(host, 'content/sha256'), data]) mkdirSync(path, { recursive: true });
  writeFileSync(stored, 'a layer');
  const handoff = scope.use(openHandoff(host, data, openFileBlobs(join(data, 'blobs'))));
  registry = scope.use(await openTestRegistry({ folder: data, handoff }));
  const answer = await registry.send('GET', '/v2/');
  folder = join(host, 'handoff', answer.headers['strake-handoff'] ?? '');
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

const files = () =>
  readdirSync(join(data, 'blobs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const mount = (digest: string, handed: string) =>
  registry.send('POST', `/v2/team/app/blobs/uploads/?mount=${digest}`, { headers: { 'strake-handoff': handed } });
const pull = async () => (await registry.send('GET', `/v2/team/app/blobs/${digestOf('a layer')}`)).body.toString();

test('a blob that is no other than it should be, or no file, or not there, is not taken', async () => {
  linkSync(stored, join(folder, name));
  const other = await mount(digestOf('another layer'), name);
  assert.equal(other.status, 400);
  assert.match(other.body.toString(), /DIGEST_INVALID/);
  symlinkSync(stored, join(folder, 'b'.repeat(32)));
  for (const handed of ['b'.repeat(32), 'c'.repeat(32), '../../content/sha256/stored', ''])
    assert.equal((await mount(digestOf('a layer'), handed)).status, 202, handed);
  assert.equal(statSync(stored).nlink, 2);
  assert.deepEqual(files(), []);
});

test('a blob that is handed over has one file and two owners, who let it go by themselves', async () => {
  assert.equal((await mount(digestOf('a layer'), name)).status, 201);
  assert.equal(statSync(stored).nlink, 3);
  assert.equal(await pull(), 'a layer');
  assert.equal((await mount(digestOf('a layer'), 'none')).status, 201, 'it is here');
  rmSync(join(folder, name));
  rmSync(stored);
  assert.equal(await pull(), 'a layer');
  writeFileSync(stored, 'a layer');
  await collect(registry.registry, { leaseTime: Number.MAX_SAFE_INTEGER, signal: new AbortController().signal });
  assert.deepEqual(files(), []);
  assert.equal(statSync(stored).nlink, 1);
});

test('what is no data root of a host, or lies elsewhere, is refused', () => {
  assert.throws(() => openHandoff(data, data, openFileBlobs(join(data, 'blobs'))), /is no data root of a host/);
  assert.throws(() => openHandoff(host, '/dev/shm', openFileBlobs(join(data, 'blobs'))), /not on one file system/);
});
