import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from '../../oci/platform.ts';
import { addImage, openTestStore } from '../../store/test-store.ts';
import { rawTar } from '../../tar/tar-fixture.ts';
import { TarReader } from '../../tar/tar-reader.ts';
import { saveTrees } from './save-trees.ts';

const { signal } = new AbortController();
const long = `d/${'f'.repeat(90)}`;
const content = 'x'.repeat(200_000);

test('each tree has the folder of its platform, with what is in it', async () => {
  await using store = await openTestStore();
  const images = ['linux/arm64', 'linux/amd64', 'linux/arm/v7'].map((platform, index) => ({
    image: addImage(store, [String(index)]),
    platform: parsePlatform(platform),
  }));
  const tar = rawTar(
    { name: 'a', content },
    { name: 'h', flag: '1', link: 'a' },
    { name: 'l', flag: '2', link: 'a' },
    { name: 'd/', flag: '5', mode: 0o700 },
    { name: long, content: 'deep' },
  );
  async function* packTree() {
    for (let at = 0; at < tar.length; at += 1000) yield tar.subarray(at, at + 1000);
  }
  const entries: string[] = [];
  let bytes = 0;
  const reader = new TarReader({
    entry: ({ path, type, size, linkTarget = '' }) =>
      void entries.push(`${path.replace(/\/$/, '')} ${type} ${size} ${linkTarget}`.trim()),
    data: ({ length }) => {
      bytes += length;
    },
    hole() {},
    close() {},
    raw() {},
  });
  for await (const chunk of saveTrees({ store, packTree }, images, signal)) reader.push(chunk);
  reader.end();
  const expected = ['linux_amd64', 'linux_arm64', 'linux_arm_v7'].flatMap((folder) => [
    `${folder} directory 0`,
    `${folder}/a file ${content.length}`,
    `${folder}/h hardlink 0 ${folder}/a`,
    `${folder}/l symlink 0 a`,
    `${folder}/d directory 0`,
    `${folder}/${long} file 4`,
  ]);
  assert.deepEqual(entries, expected);
  assert.equal(bytes, 3 * (content.length + 4));
});
