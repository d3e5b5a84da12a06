/** The build cache as something to look at and to bound: cache mounts as objects, pruning, the limit. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CacheMountRow } from '../../src/wire/cache-mount.ts';
import { importBusybox, makeContext, run, STRAKE, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost({ flags: ['--build-cache-limit', '3m'] });
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** A file of a megabyte that nothing else has. */
const megabyte = (name: string) => `dd if=/dev/urandom of=${name} bs=1024 count=1000 2> /dev/null`;

interface Df {
  readonly BuildCache: { Type: string; Description: string; Size: number; Shared: boolean; InUse: boolean }[];
}

async function df(): Promise<Df['BuildCache']> {
  const url = 'http://host/v1.45/system/df?type=build-cache';
  const answer = await run('curl', ['-fsS', '--unix-socket', host.socket, url]);
  const usage: Df = JSON.parse(answer.stdout);
  return usage.BuildCache;
}

const ownBytes = async () => (await df()).reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0);

async function inspect(name: string): Promise<CacheMountRow> {
  return JSON.parse(await host.ok(['cache', 'inspect', name]))[0];
}

test('cache mounts: listed, inspected, exported, imported, removed', async () => {
  const step = '--mount=type=cache,id=npm,target=/root/.npm,sharing=locked';
  await host.build('user', `FROM busybox\nRUN ${step} mkdir /root/.npm/sub; echo kept > /root/.npm/sub/file\n`);
  const row = await inspect('npm');
  const { Name, Target, Sharing, Size, InUse, UsageCount } = row;
  assert.deepEqual([Name, Target, Sharing, Size, InUse, UsageCount], ['npm', '/root/.npm', 'locked', 5, false, 1]);
  const line = new RegExp(`\\n${row.ID.slice(0, 12)} +npm +/root/.npm +locked +5B +false +.* +1`);
  assert.match(await host.ok(['cache', 'ls']), line);
  assert.equal(await host.ok(['cache', 'ls', '-q', '--no-trunc']), row.ID);
  const tar = join(host.folder, 'npm.tar');
  await host.ok(['cache', 'export', '-o', tar, 'npm']);
  const listed = await run('tar', ['-tf', tar]);
  assert.deepEqual(listed.stdout.split('\n').filter(Boolean).sort(), ['sub/', 'sub/file']);
  await host.ok(['cache', 'rm', row.ID.slice(0, 8)]);
  assert.equal(await host.ok(['cache', 'ls', '-q']), '');
  assert.match(await host.ok(['cache', 'import', '-i', tar, 'npm']), /^npm: 5B$/);
  assert.match(await host.build('user', `FROM busybox\nRUN ${step} cat /root/.npm/sub/file # again\n`), /\nkept\n/);
  const folder = join(host.folder, 'fill');
  mkdirSync(folder);
  writeFileSync(join(folder, 'other'), 'from a tar');
  const packed = await run('sh', ['-c', `tar -C ${folder} -cz . | base64 -w0`]);
  await host.ok(['cache', 'import', '/new/one'], { input: Buffer.from(packed.stdout, 'base64') });
  const use = 'FROM busybox\nRUN --mount=type=cache,target=/new/one cat /new/one/other\n';
  assert.match(await host.build('user', use), /\nfrom a tar\n?/);
  await host.ok(['cache', 'rm', 'npm', '/new/one']);
});

test('cache mounts: one in use is not removed; wrong names', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN --mount=type=cache,id=busy,target=/c touch /c/begun; sleep 1000\n',
  });
  const tar = join(host.folder, 'busy.tar');
  assert.equal((await run('tar', ['-C', context, '-cf', tar, '.'])).code, 0);
  const building = spawn('curl', ['-sS', '--unix-socket', host.socket, '-T', tar, '-X', 'POST', 'http://host/build']);
  try {
    await until(async () => (await host.strake(['cache', 'inspect', 'busy'])).stdout.includes('"InUse": true'));
    const { code, stderr } = await host.strake(['cache', 'rm', 'busy']);
    assert.equal(code, 1);
    assert.match(stderr, /cache mount busy is in use by a build/);
    assert.equal((await df()).find(({ Description }) => Description === 'cache mount busy')?.InUse, true);
  } finally {
    building.kill();
  }
  await until(async () => !(await inspect('busy')).InUse);
  await host.ok(['cache', 'rm', 'busy']);
  assert.match((await host.strake(['cache', 'rm', 'nothing'])).stderr, /No such cache mount: nothing/);
  assert.match((await host.strake(['cache', 'export', 'nothing'])).stderr, /No such cache mount: nothing/);
  const bad = await host.strake(['cache', 'import', 'bad'], { input: 'this is no tar, in no compression at all' });
  assert.equal(bad.code, 1, bad.stdout);
  const unnamed = await host.strake(['cache', 'import', ''], { input: '' });
  assert.match(unnamed.stderr, /invalid name of a cache mount: ""/);
  assert.equal(await host.ok(['cache', 'ls', '-q']), '');
});

test('builder prune gives up what no image has, and -a the rest; rebuilding hits what stayed', async () => {
  const stage = `FROM busybox AS stage\nRUN ${megabyte('/a')}\n`;
  const target = 'FROM busybox\nCOPY --from=stage /bin/busybox /copied\nRUN echo last > /last\n';
  const context = makeContext(host.folder, { Dockerfile: stage + target });
  await host.ok(['build', '-t', 'two', context]);
  assert.equal(await ownBytes(), 1_024_000);
  assert.match(await host.ok(['system', 'df']), /\nBuild Cache +\d+ +0 +1\.024MB +1\.024MB/);
  const until = await host.docker(['builder', 'prune', '-f', '--filter', 'until=1h']);
  assert.match(until.stdout, /Total reclaimed space: 0B/, until.stderr);
  assert.match((await host.docker(['builder', 'prune', '-f', '--keep-storage', '2MB'])).stdout, /reclaimed.*0B/);
  const declined = await host.strake(['builder', 'prune'], { input: 'n\n' });
  assert.match(declined.stdout, /^WARNING! This will remove all dangling build cache\.\nAre you sure/);
  const pruned = await host.docker(['builder', 'prune', '-f']);
  assert.match(pruned.stdout, /Total(?: reclaimed space)?:\s+1\.024MB/, pruned.stderr);
  assert.equal(await ownBytes(), 0);
  assert.match(await host.ok(['build', '-t', 'two', context]), /Step 4\/5 [^\n]*\n ---> Using cache\n/);
  const all = await host.ok(['builder', 'prune', '-a', '-f']);
  assert.match(all, /^Deleted build cache objects:\n[0-9a-f]{64}\n[\s\S]*Total reclaimed space: 1\.024MB/);
  assert.deepEqual(await df(), []);
  assert.equal(await host.sh('two', 'cat /last'), 'last');
  assert.doesNotMatch(await host.ok(['build', '-t', 'two', context]), /RUN [^\n]*\n ---> Using cache/);
  const wrong = await host.docker(['builder', 'prune', '-f', '--filter', 'until=soon']);
  assert.match(wrong.stderr, /soon/);
});

test('the limit is held while building: what was used longest ago goes, the image that is built stays whole', async () => {
  const numbers = [1, 2, 3, 4, 5];
  const stages = numbers.map((n) => `FROM busybox AS s${n}\nRUN ${megabyte(`/f${n}`)} && echo ${n}\n`);
  const targets = numbers.map((n) => `FROM busybox\nCOPY --from=s${n} /etc/passwd /p\nRUN test -s /p\n`);
  for (const [index, stage] of stages.entries()) {
    await host.build('held', `${stage}${targets[index]}`);
    assert.ok((await ownBytes()) <= 3 << 20, `after ${index + 1} builds`);
  }
  assert.equal(await ownBytes(), 3 * 1_024_000);
  const again = await host.build('held', `${stages[4]}${targets[4]}`);
  assert.match(again, /Step 2\/5 [^\n]*\n ---> Using cache/);
  const copies = numbers.map((n) => `COPY --from=s${n} /f${n} /\n`).join('');
  await host.build('many', `${stages.join('').replaceAll('&& echo', '&& echo again')}FROM busybox\n${copies}`);
  assert.equal(await host.sh('many', 'ls / | grep -c "^f[1-5]$"'), '5');
  assert.ok((await ownBytes()) <= 3 << 20);
});

test('the limit counts cache mounts, and gives them up', async () => {
  const fill = (n: number) =>
    `FROM busybox\nRUN --mount=type=cache,id=big${n},target=/c ${megabyte('/c/f')} && ${megabyte('/c/g')}\n`;
  await host.build('one', fill(1));
  await host.build('one', fill(2));
  await until(async () => (await host.ok(['cache', 'ls', '--format', '{{.Name}}'])) === 'big2');
  assert.equal((await inspect('big2')).Size, 2_048_000);
});

test('a host does not start with a limit that is no size', async () => {
  const args = ['host', '--build-cache-limit', 'much', '--data-root', join(host.folder, 'x')];
  const { code, stderr } = await run(STRAKE, args);
  assert.equal(code, 1);
  assert.match(stderr, /invalid size: 'much'/);
});
