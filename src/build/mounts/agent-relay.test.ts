import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { relayAgent } from './agent-relay.ts';

const message = (...bytes: number[]) => Buffer.from([0, 0, 0, bytes.length, ...bytes]);

/** Bytes until `size` of them are there. */
async function take(stream: Duplex, size: number): Promise<Buffer> {
  let taken = Buffer.alloc(0);
  while (taken.length < size) {
    const chunk: Buffer | null = stream.read();
    if (chunk) taken = Buffer.concat([taken, chunk]);
    else await once(stream, 'readable');
  }
  return taken;
}

/** An agent that answers a request of one byte n with n + 1. */
function connectAgent(seen: number[]): () => Duplex {
  return () => {
    const [near, far] = duplexPair();
    far.on('data', (request: Buffer) => {
      seen.push(request[4] ?? -1);
      far.write(message((request[4] ?? 0) + 1));
    });
    return near;
  };
}

test('listing and signing pass; adding, removing and locking fail', async () => {
  const seen: number[] = [];
  const [client, inside] = duplexPair();
  const ended = relayAgent(inside, connectAgent(seen));
  for (const [request, answer] of [
    [11, 12],
    [17, 5],
    [18, 5],
    [19, 5],
    [13, 14],
    [22, 5],
    [25, 5],
    [27, 5],
  ] as const) {
    client.write(message(request));
    assert.deepEqual(await take(client, 5), message(answer), `request ${request}`);
  }
  assert.deepEqual(seen, [11, 13]);
  client.end();
  await ended;
});

test('requests that come together are answered in order, a request in pieces is one', async () => {
  const [client, inside] = duplexPair();
  const ended = relayAgent(inside, connectAgent([]));
  client.write(Buffer.concat([message(11), message(17), message(13), message(11).subarray(0, 2)]));
  client.write(message(11).subarray(2));
  assert.deepEqual(await take(client, 20), Buffer.concat([message(12), message(5), message(14), message(12)]));
  client.end();
  await ended;
});

for (const [name, bytes] of [
  ['empty', Buffer.from([0, 0, 0, 0])],
  ['too long', Buffer.from([0xff, 0xff, 0xff, 0xff, 11])],
] as const)
  test(`a message that is ${name} ends the connection`, async () => {
    const seen: number[] = [];
    const [client, inside] = duplexPair();
    client.resume();
    client.write(bytes);
    await relayAgent(inside, connectAgent(seen));
    await once(client, 'end');
    assert.deepEqual(seen, []);
  });

test('an agent that is gone ends the connection', async () => {
  const [client, inside] = duplexPair();
  client.resume();
  await relayAgent(inside, () => {
    throw new Error('gone');
  });
  await once(client, 'end');
});
