/** A data root whose disk has no byte, or no inode, left: what is there can be removed, all else says why it fails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importBusybox, smallDisk, startHost, type TestHost, until } from './harness.ts';

/** What takes the space or the inodes of a disk, till nothing is left. Each gives the folder of what it made. */
const fillers = {
  bytes(disk: string): string {
    const folder = join(disk, 'filler');
    mkdirSync(folder);
    // The second takes what the rounding of the first has left.
    for (const size of ['1M', '4k']) spawnSync('dd', ['if=/dev/zero', `of=${folder}/${size}`, `bs=${size}`]);
    assert.equal(statfsSync(disk).bavail, 0);
    return folder;
  },
  inodes(disk: string): string {
    const folder = join(disk, 'filler');
    mkdirSync(folder);
    for (let left = statfsSync(disk).ffree; left > 0; left--) writeFileSync(join(folder, String(left)), '');
    assert.equal(statfsSync(disk).ffree, 0);
    return folder;
  },
};

/** Something of each kind that can be removed. */
async function furnish(host: TestHost): Promise<void> {
  await importBusybox(host);
  for (const name of ['one', 'two'])
    await host.build(name, 'FROM busybox\nCOPY file /\nRUN cat /file > /copy\nLABEL a=b\n', {
      file: name.repeat(50_000),
    });
  await host.ok(['tag', 'one', 'other']);
  for (const name of ['first', 'second'])
    await host.ok([
      'run',
      '--name',
      name,
      '-v',
      `${name}:/data`,
      '-v',
      '/anonymous',
      'busybox',
      'sh',
      '-c',
      'echo > /data/a',
    ]);
  await host.ok(['volume', 'create', 'unused']);
  await host.ok(['network', 'create', 'net']);
}

for (const [what, fill] of Object.entries(fillers))
  test(`a disk without free ${what}: everything can be removed, and a host starts there`, async () => {
    using disk = smallDisk(64, what === 'inodes' ? 1500 : undefined);
    await using host = await startHost({ dataRoot: join(disk.path, 'data') });
    const reserved = () => readdirSync(join(host.dataRoot, 'reserve')).length;
    await furnish(host);
    await until(() => reserved() > 0);
    const whole = reserved();
    const filler = fill(disk.path);

    for (const command of [
      ['volume', 'create', 'another'],
      ['create', 'busybox', 'true'],
      ['tag', 'one', 'more'],
      ['network', 'create', 'another'],
      ['import', join(host.folder, 'busybox.tar')],
    ]) {
      const { code, stderr } = await host.strake(command);
      if (what === 'inodes' && code === 0) continue; // it needs none
      assert.notEqual(code, 0, stderr);
      assert.match(stderr, /no space left/);
      assert.match(stderr, command[0] === 'network' ? /folder of the networks/ : new RegExp(disk.path));
      assert.match(stderr, /prune/);
    }
    assert.equal(reserved(), whole, 'what is reserved is for removals');
    await host.ok(['rmi', 'other', 'one']);
    await host.ok(['rm', '-v', 'first']);
    await host.ok(['volume', 'rm', 'first']);
    await host.stop('SIGKILL');
    rmSync(filler, { recursive: true });
    fill(disk.path);
    await host.restart();
    assert.match(await host.ok(['images']), /^two /m);
    assert.match(await host.ok(['ps', '-a']), /second/);
    await host.stop();
    await host.restart();
    await host.ok(['network', 'rm', 'net']);
    await host.ok(['builder', 'prune', '-af']);
    await host.ok(['image', 'prune', '-f']);
    await host.ok(['rmi', 'two']);
    const pruned = await host.docker(['system', 'prune', '-af', '--volumes']);
    assert.equal(pruned.code, 0, pruned.stderr);
    assert.equal(await host.ok(['images', '-aq']), '');
    assert.equal(await host.ok(['ps', '-aq']), '');

    rmSync(filler, { recursive: true });
    await importBusybox(host);
    await until(async () => {
      await host.ok(['rm', await host.ok(['create', 'busybox', 'true'])]);
      return reserved() === whole;
    });
  });
