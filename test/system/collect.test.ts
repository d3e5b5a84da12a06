/** Removing and collecting beside work that makes images: what is needed stays, what nothing needs goes, the store is sound. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRegistry } from './docker-registry.ts';
import { importBusybox, makeContext, type Result, smallDisk, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  await host.ok(['create', '--name', 'keeper', 'busybox', 'true']); // its image survives every prune
});
after(() => host[Symbol.asyncDispose]());

/** Everything that removes: names, images without a container, cache records, layers and blobs. */
async function removeAll(names: readonly string[]): Promise<void> {
  for (const name of names) await host.strake(['rmi', '-f', name]);
  await host.ok(['image', 'prune', '-af']);
  await host.ok(['builder', 'prune', '-af']);
}

/** Removes again and again until `work` has ended; returns what that gave. */
async function whileRemoving<T>(names: readonly string[], work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {}); // told by the return
  while (!isDone) await removeAll(names);
  return await done;
}

/** The host says itself that every digest, reference and tree is right. */
async function expectSound(): Promise<void> {
  assert.match(await host.ok(['system', 'check']), /no problem$/);
}

test('rmi, image prune and builder prune while images are built', async () => {
  const build = async (worker: number) => {
    for (let round = 0; round < 3; round++) {
      const dockerfile = `FROM busybox\nCOPY file /file\nRUN cat /file > /copy${worker}\nRUN test -s /copy${worker}\n`;
      await host.build(`racer:${worker}`, dockerfile, { file: `${worker % 2} ${round}` });
    }
  };
  await whileRemoving(['racer:0', 'racer:1', 'racer:2'], Promise.all([build(0), build(1), build(2)]));
  await expectSound();
  await host.build('racer:0', 'FROM busybox\nCOPY file /file\n', { file: 'last' });
  assert.equal(await host.sh('racer:0', 'cat /file'), 'last');
});

test('the same while images are loaded, imported, committed and pulled', async () => {
  await using registry = await startRegistry(host.folder);
  const pushed = `${registry.host}/team/app:1`;
  await host.build(pushed, 'FROM busybox\nCOPY a /\nCOPY b /\n', { a: 'a', b: 'b' });
  await host.ok(['push', pushed]);
  const archive = join(host.folder, 'app.tar');
  await host.ok(['save', '-o', archive, pushed]);
  await host.ok(['run', '--name', 'changed', 'busybox', 'sh', '-c', 'echo new > /new']);
  const works: readonly (readonly string[])[] = [
    ['load', '-q', '-i', archive],
    ['import', archive, 'imported'],
    ['commit', 'changed', 'committed'],
    ['pull', pushed],
  ];
  const rounds = works.map(async (command) => {
    for (let round = 0; round < 3; round++) await host.ok(command);
  });
  await whileRemoving([pushed, 'imported', 'committed'], Promise.all(rounds));
  await expectSound();
  for (const command of works) await host.ok(command);
  assert.equal(await host.sh(pushed, 'cat /a /b'), 'ab');
  assert.equal(await host.sh('committed', 'cat /new'), 'new');
  await host.ok(['rm', 'changed']);
});

test('what nothing needs is gone from the disk', async () => {
  await host.build('large', 'FROM busybox\nCOPY large /\nRUN cp /large /again\n', {
    large: Buffer.alloc(3 << 20, 'x'),
  });
  await removeAll(['large']);
  const list = await host.ok(['images', '-aq']);
  assert.equal(list.split('\n').length, 1, list);
  assert.equal(readdirSync(join(host.dataRoot, 'layers')).length, 1);
});

test('killed while it removes, commits, loads and saves: what was confirmed is there, the rest is whole or gone', async () => {
  await host.ok([
    'run',
    '--name',
    'writer',
    'busybox',
    'sh',
    '-c',
    'mkdir /d; for i in $(seq 500); do echo $i > /d/$i; done',
  ]);
  const archives = join(host.folder, 'archives');
  mkdirSync(archives);
  for (const delay of [20, 150]) {
    for (let i = 0; i < 3; i++) await host.build(`doomed:${i}`, `FROM busybox\nRUN echo ${delay} ${i} > /file\n`);
    const confirmed = await host.ok(['commit', 'writer', 'kept']);
    await host.ok(['save', '-o', join(archives, 'whole.tar'), 'kept']);
    const works: Promise<Result>[] = [
      host.strake(['commit', 'writer', 'perhaps']),
      host.strake(['rmi', '-f', 'doomed:0', 'doomed:1', 'doomed:2']),
      host.strake(['builder', 'prune', '-af']),
      host.strake(['load', '-q', '-i', join(archives, 'whole.tar')]),
      host.strake(['save', '-o', join(archives, 'cut.tar'), 'kept']),
    ];
    await sleep(delay);
    await host.stop('SIGKILL');
    const [commit, removal, , , save] = await Promise.all(works);
    const made = save?.code === 0 ? ['cut.tar', 'whole.tar'] : ['whole.tar'];
    assert.deepEqual(readdirSync(archives), made, 'a part of an archive was left');
    rmSync(join(archives, 'cut.tar'), { force: true });
    await host.restart();
    await expectSound();
    assert.equal(await host.inspect('kept', '{{.Id}}'), confirmed);
    assert.equal(await host.sh('kept', 'ls /d | wc -l'), '500');
    const perhaps = await host.strake(['inspect', '--format', '{{.Id}}', 'perhaps']);
    assert.ok(perhaps.code === 0 || commit?.code !== 0, 'a commit that was confirmed is gone');
    if (perhaps.code === 0) assert.equal(await host.sh('perhaps', 'cat /d/500'), '500');
    for (let i = 0; i < 3; i++) {
      const left = (await host.strake(['inspect', `doomed:${i}`])).code === 0;
      assert.ok(!left || removal?.code !== 0, 'an image whose removal was confirmed is back');
      if (left) assert.equal(await host.sh(`doomed:${i}`, 'cat /file'), `${delay} ${i}`);
    }
    await removeAll(['kept', 'perhaps', 'doomed:0', 'doomed:1', 'doomed:2']);
  }
  await host.ok(['rm', 'writer']);
});

test('a full disk stops a commit and a save with a clear word, and nothing is lost', async () => {
  using disk = smallDisk(24);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  await importBusybox(small);
  await small.ok(['run', '--name', 'filled', 'busybox', 'sh', '-c', 'head -c 14000000 /dev/urandom > /big']);
  const commit = await small.strake(['commit', 'filled', 'big']);
  assert.equal(commit.code, 1);
  assert.match(commit.stderr, /no space left|expands to more than/);
  const archive = join(disk.path, 'big.tar');
  writeFileSync(join(disk.path, 'filler'), Buffer.alloc(freeBytes(disk.path) - (1 << 20)));
  const save = await small.strake(['save', '-o', archive, 'busybox']);
  assert.equal(save.code, 1);
  assert.match(save.stderr, /no space left/);
  assert.deepEqual(readdirSync(disk.path).sort(), ['data', 'filler']);
  assert.equal(await small.ok(['images', '-aq']).then((list) => list.split('\n').length), 1);
  const context = makeContext(small.folder, { Dockerfile: 'FROM busybox\nRUN echo fits > /small\n' });
  await small.ok(['build', '-t', 'small', context]);
  assert.equal(await small.sh('small', 'cat /small'), 'fits');
});

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};
