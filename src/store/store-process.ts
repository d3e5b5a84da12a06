/** What a second process does in the tests of crash safety and of the lock. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { messageOf } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { parseReference } from '../oci/reference.ts';
import { newContainerId } from './containers.ts';
import { openStore, type Store } from './open-store.ts';
import { addImage, addLayer, testDiffId } from './test-store.ts';

/** `hold` opens the store and waits; `write` adds records of all kinds for ever. Says what is done, a line each. */
export async function runStoreProcess(root: string, mode: 'hold' | 'write'): Promise<void> {
  // Written at once, so that a kill takes nothing that was said.
  const say = (line: string) => void writeSync(1, `${line}\n`);
  try {
    const store = await openStore(root, { log: silentLog });
    say('open');
    if (mode === 'hold') setInterval(() => {}, 1000);
    else for (;;) await writeAll(store, say);
  } catch (error) {
    say(`failed ${messageOf(error)}`);
  }
}

async function writeAll(store: Store, say: (line: string) => void): Promise<void> {
  const seed = randomBytes(8).toString('hex');
  const { digest } = await store.content.write(randomBytes(100_000), {
    limit: 1 << 30,
    signal: new AbortController().signal,
  });
  say(`blob ${digest}`);
  addLayer(store, seed);
  say(`layer ${testDiffId(seed)}`);
  const { id } = addImage(store, [seed], { author: seed });
  store.images.names.tag(parseReference('app'), id);
  say(`image ${id}`);
  const container = newContainerId();
  store.containers.create({ id: container, name: seed, image: id, record: { seed }, layers: [testDiffId(seed)] });
  store.volumes.create({ name: seed, anonymous: false, labels: {}, options: {} });
  say(`container ${container}`);
  store.layers.allot();
}
