/** What is stored: how much of it is whose, and whether it is whole (mission row L3). */
import assert from 'node:assert/strict';
import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run, startHost, type TestHost } from './harness.ts';

const MB = 1_000_000;

let host: TestHost;
before(async () => {
  host = await startHost();
});
after(() => host[Symbol.asyncDispose]());

test('system df: five images of 720 MB take 320 MB, told alike to strake and to docker', async () => {
  await host.build('base', 'FROM scratch\nCOPY base /base\n', { base: Buffer.alloc(MB) });
  const own = { a: 0.2, b: 0.3, c: 0.4, d: 0.5, e: 0.8 };
  for (const [name, size] of Object.entries(own))
    await host.build(name, `FROM base\nCOPY ${name} /\n`, { [name]: Buffer.alloc(size * MB, name) });
  await host.ok(['rmi', 'base']);
  await host.ok(['create', '--name', 'user', 'e', '/none']);

  const { stdout } = await run('curl', ['-sS', '--unix-socket', host.socket, 'http://host/system/df']);
  const { LayersSize, Images } = JSON.parse(stdout);
  const total = Images.reduce((sum: number, { Size }: { Size: number }) => sum + Size, 0);
  assert.deepEqual([total, LayersSize], [7.2 * MB, 3.2 * MB]);

  const format = ['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}'];
  assert.equal((await host.ok(format)).split('\n')[0], 'Images 5 1 3.2MB');
  assert.equal((await host.docker(format)).stdout.split('\n')[0], 'Images 5 1 3.2MB');
  for (const listed of [await host.ok(['system', 'df', '-v']), (await host.docker(['system', 'df', '-v'])).stdout])
    for (const [name, size] of Object.entries(own)) {
      const row = listed.split('\n').find((line) => line.startsWith(`${name} `)) ?? '';
      const [shared, unique, containers] = row.trim().split(/ {2,}/).slice(-3);
      const shown = size === 0.8 ? '800kB' : `${size * 1000}kB`;
      assert.deepEqual([shared, unique, containers], ['1MB', shown, name === 'e' ? '1' : '0'], row);
    }
  await host.ok(['rm', 'user']);
});

test('system check proves the store, finds what was changed behind its back, and mends what it can', async () => {
  await host.build('whole', 'FROM scratch\nCOPY file /file\nCOPY other /other\n', { file: 'content', other: 'other' });
  assert.match(await host.ok(['system', 'check']), /^Checked \d+ images, \d+ layers, \d+ blobs: no problem$/);

  const layer = await host.inspect('whole', '{{.GraphDriver.Data.UpperDir}}');
  const file = join(layer, 'other');
  const { mtime } = statSync(file);
  writeFileSync(file, 'OTHER');
  utimesSync(file, mtime, mtime);
  for (const flags of [[], ['--repair']]) {
    const found = await host.strake(['system', 'check', ...flags]);
    assert.equal(found.code, 1);
    assert.match(
      found.stdout,
      /^layer sha256:[0-9a-f]{64} is damaged: "other" \(content\) differs from its index\nChecked .*: 1 problem, 0 repaired\n$/,
    );
  }
  const saving = await host.strake(['save', '-o', join(host.folder, 'damaged.tar'), 'whole']);
  assert.equal(saving.code, 1, 'a damaged layer is not saved as if it were whole');

  writeFileSync(file, 'other');
  rmSync(join(host.folder, 'damaged.tar'), { force: true });
  assert.match(await host.ok(['system', 'check']), /no problem$/);
});
