/** Volumes: made, listed, filled from the image, kept while in use, removed and pruned. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, startHost, type TestHost } from './harness.ts';

const NONE = ['--network', 'none'];

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const names = async (...filters: string[]) =>
  (await host.ok(['volume', 'ls', '-q', ...filters.flatMap((filter) => ['-f', filter])])).split('\n').filter(Boolean);

test('volumes by name: create, list with filters, inspect, remove, with both commands', async () => {
  assert.equal(await host.ok(['volume', 'create', '--label', 'a=b', 'first']), 'first');
  assert.equal((await host.docker(['volume', 'create', '--label', 'c', 'second'])).stdout, 'second\n');
  assert.equal(await host.ok(['volume', 'create', 'first']), 'first');
  assert.deepEqual(await names(), ['first', 'second']);
  for (const [filter, expected] of [
    ['label=a', ['first']],
    ['label=a=x', []],
    ['name=sec', ['second']],
    ['driver=local', ['first', 'second']],
    ['driver=other', []],
  ] as const)
    assert.deepEqual(await names(filter), expected, filter);
  assert.equal(
    await host.ok(['volume', 'inspect', '-f', '{{.Name}} {{.Labels}} {{.Scope}}', 'first']),
    'first map[a:b] local',
  );
  for (const [args, expected] of [
    [['create', 'a/b'], /includes invalid characters for a local volume name/],
    [['create', 'x'], /volume name is too short/],
    [['create', '-d', 'nfs', 'xx'], /error looking up volume plugin nfs: plugin "nfs" not found/],
    [['create', '-o', 'foo=bar', 'xx'], /invalid option: "foo"/],
    [['create', '-o', 'type=tmpfs', 'xx'], /missing required option: "device"/],
    [['create', '-o', 'size=1m', 'xx'], /quota size requested but no quota support/],
    [['ls', '-f', 'bogus=1'], /invalid filter 'bogus'/],
    [['rm', 'missing'], /get missing: no such volume/],
    [['inspect', 'missing'], /get missing: no such volume/],
  ] as const) {
    const { code, stderr } = await host.strake(['volume', ...args]);
    assert.equal(code, 1, args.join(' '));
    assert.match(stderr, expected, args.join(' '));
  }
  assert.equal(await host.ok(['volume', 'rm', '-f', 'missing']), 'missing');
  assert.equal(await host.ok(['volume', 'rm', 'first', 'second']), 'first\nsecond');
});

test('a volume is filled from the image on first use, keeps its content, and is refused to go while it is used', async () => {
  assert.match(await host.ok(['run', '--rm', ...NONE, '-v', 'etc:/etc', 'busybox', 'cat', '/etc/passwd']), /^app:/m);
  const use = ['run', '-d', '--name', 'user', ...NONE, '-v', 'etc:/x', '-v', '/anonymous', 'busybox', 'sleep', '1000'];
  const id = await host.ok(use);
  assert.match(await host.ok(['exec', 'user', 'cat', '/x/passwd']), /^app:/m);
  assert.equal(
    await host.ok(['run', '--rm', ...NONE, '-v', 'bare:/etc:nocopy', 'busybox', 'ls', '/etc']),
    'hostname\nhosts\nresolv.conf',
  );
  const { stderr } = await host.strake(['volume', 'rm', 'etc']);
  assert.ok(stderr.includes(`remove etc: volume is in use - [${id}]`), stderr);
  assert.deepEqual(await names('dangling=true'), ['bare']);
  assert.match(await host.ok(['system', 'df', '-v']), /^etc +1 +\d+B$/m);
  assert.equal(await host.ok(['volume', 'prune', '-f']), 'Total reclaimed space: 0B');
  assert.match(await host.ok(['volume', 'prune', '-f', '-a']), /^Deleted Volumes:\nbare\n/);
  await host.ok(['rm', '-f', '-v', 'user']);
  assert.deepEqual(await names(), ['etc'], 'the anonymous one went with its container');
  await host.ok(['volume', 'rm', 'etc']);
});

test('anonymous volumes: --rm takes them along, rm does not, prune does', async () => {
  await host.ok(['run', '--rm', ...NONE, '-v', '/data', '-v', 'named:/n', 'busybox', 'touch', '/data/f', '/n/f']);
  assert.deepEqual(await names(), ['named']);
  await host.ok(['run', '--name', 'keep', ...NONE, '-v', '/data', 'busybox', 'touch', '/data/f']);
  await host.ok(['rm', 'keep']);
  const [anonymous = ''] = (await names()).filter((name) => name !== 'named');
  assert.match(anonymous, /^[0-9a-f]{64}$/);
  assert.match(await host.ok(['volume', 'prune', '-f']), new RegExp(anonymous));
  assert.deepEqual(await names(), ['named']);
  await host.ok(['volume', 'rm', 'named']);
});

test('a volume that is the bind of a folder leaves the folder alone', async () => {
  const folder = join(host.folder, 'bound');
  mkdirSync(folder);
  writeFileSync(join(folder, 'f'), 'mine\n');
  const options = ['-o', 'type=none', '-o', 'o=bind', '-o', `device=${folder}`];
  await host.ok(['volume', 'create', ...options, 'bind']);
  assert.equal(await host.ok(['run', '--rm', ...NONE, '-v', 'bind:/x', 'busybox', 'cat', '/x/f']), 'mine');
  await host.ok(['volume', 'rm', 'bind']);
  assert.equal(await host.ok(['run', '--rm', ...NONE, '-v', `${folder}:/x`, 'busybox', 'cat', '/x/f']), 'mine');
});

test('volumes from another container, and events of volumes', async () => {
  const since = String(Date.now() / 1000);
  await host.ok([
    'run',
    '-d',
    '--name',
    'source',
    ...NONE,
    '-v',
    'shared:/s',
    'busybox',
    'sh',
    '-c',
    'echo s > /s/f; sleep 1000',
  ]);
  assert.equal(
    await host.ok([
      'run',
      '--rm',
      ...NONE,
      '--volumes-from',
      'source:ro',
      'busybox',
      'sh',
      '-c',
      'until cat /s/f; do :; done; touch /s/x || echo refused',
    ]),
    's\nrefused',
  );
  await host.ok(['rm', '-f', 'source']);
  await host.ok(['volume', 'rm', 'shared']);
  const until = String(Date.now() / 1000 + 0.01);
  const events = ['events', '--since', since, '--until', until, '--filter', 'volume=shared', '--format', '{{.Action}}'];
  assert.deepEqual((await host.ok(events)).split('\n'), ['create', 'mount', 'mount', 'unmount', 'unmount', 'destroy']);
});
