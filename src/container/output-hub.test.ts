import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputHub } from './output-hub.ts';

const BOTH = { stdout: true, stderr: true };
const MEGABYTE = Buffer.alloc(1 << 20, 'x');

test('pieces are framed without a terminal, plain with one', async () => {
  for (const tty of [false, true]) {
    const hub = new OutputHub(tty);
    const both = hub.attach(BOTH);
    const errors = hub.attach({ stdout: false, stderr: true });
    await hub.write('stdout', Buffer.from('out'));
    await hub.write('stderr', Buffer.from('err'));
    hub.end();
    const framed = '\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err';
    assert.equal(Buffer.concat(await both.toArray()).toString(), tty ? 'outerr' : framed);
    assert.equal(Buffer.concat(await errors.toArray()).toString(), tty ? 'err' : framed.slice(11));
  }
});

test('a slow client holds the process back; going away or the end of the process lets it go on', async () => {
  for (const relief of ['read', 'leave', 'release'] as const) {
    const hub = new OutputHub(true);
    const client = hub.attach(BOTH);
    let taken = false;
    const write = hub.write('stdout', Buffer.concat([MEGABYTE, MEGABYTE])).then(() => {
      taken = true;
    });
    await new Promise(setImmediate);
    assert.equal(taken, false);
    if (relief === 'read') client.resume();
    else if (relief === 'leave') client.destroy();
    else hub.release();
    await write;
    hub.end();
    if (relief === 'release') assert.equal(Buffer.concat(await client.toArray()).length, 2 << 20);
  }
});

test('what came before is read first, and a client that leaves meanwhile holds nothing back', async () => {
  const hub = new OutputHub(true);
  const before = (async function* () {
    yield Buffer.from('before ');
    await hub.write('stdout', Buffer.from('now'));
    hub.end();
  })();
  assert.equal(Buffer.concat(await hub.attach(BOTH, before).toArray()).toString(), 'before now');

  const other = new OutputHub(true);
  const client = other.attach(BOTH, (async function* () {})());
  client.resume();
  await new Promise(setImmediate);
  client.destroy();
  await new Promise(setImmediate);
  await other.write('stdout', Buffer.concat([MEGABYTE, MEGABYTE]));
});

test('a client of a process that has ended has its end at once', async () => {
  const hub = new OutputHub(false);
  hub.end();
  assert.deepEqual(await hub.attach(BOTH).toArray(), []);
});
