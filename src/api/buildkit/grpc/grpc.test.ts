import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { message, string } from '../../../lib/protobuf.ts';
import { GrpcClient } from './client.ts';
import { frameMessages, MESSAGE_LIMIT, readMessages } from './messages.ts';
import { type GrpcCall, type GrpcHandler, serveGrpc, unary } from './server.ts';
import { DetailedFailure } from './status.ts';
import { connectedPair } from './test-connection.ts';

const text = message({ text: string(1) });
const never = new AbortController().signal;

interface Joined extends AsyncDisposable {
  readonly client: GrpcClient;
  readonly served: Promise<void>;
}

async function join(handlers: Record<string, GrpcHandler>, signal: AbortSignal = never): Promise<Joined> {
  const pair = await connectedPair();
  const served = serveGrpc(pair.left, new Map(Object.entries(handlers)), { signal });
  const client = new GrpcClient(pair.right);
  return {
    client,
    served,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await served;
      await pair[Symbol.asyncDispose]();
    },
  };
}

async function echo(call: GrpcCall): Promise<void> {
  for await (const one of call.received) await call.send(one);
}

test('gRPC: a call with one message each way, its metadata, and several at a time', async () => {
  await using both = await join({
    'a.B/Shout': unary(text, text, (asked, call) => ({
      text: `${asked.text.toUpperCase()} ${call.metadata.get('who')} ${call.method}`,
    })),
  });
  const answers = await Promise.all(
    ['x', 'y', 'é'].map((one) =>
      both.client.call('a.B/Shout', text.encode({ text: one }), { metadata: { who: 'me' }, signal: never }),
    ),
  );
  assert.deepEqual(
    answers.map((one) => text.decode(one).text),
    ['X me a.B/Shout', 'Y me a.B/Shout', 'É me a.B/Shout'],
  );
});

test('gRPC: messages of any size pass in both directions at once', async () => {
  await using both = await join({ 'a.B/Echo': echo });
  const sizes = [0, 1, 16_383, 16_384, 70_000, 3 << 20];
  const stream = both.client.open('a.B/Echo', { signal: never });
  const sending = (async () => {
    for (const size of sizes) await stream.send(Buffer.alloc(size, size % 251));
    stream.end();
  })();
  const got: number[] = [];
  for await (const one of stream.received) {
    assert.ok(one.every((byte) => byte === one.length % 251));
    got.push(one.length);
  }
  await sending;
  assert.deepEqual(got, sizes);
});

const endings: readonly {
  readonly name: string;
  readonly thrown: unknown;
  readonly kind: string;
  readonly message: string;
}[] = [
  {
    name: 'a Failure keeps its kind',
    thrown: new Failure('not-found', 'X', 'no secret "a%b é\ttab"'),
    kind: 'not-found',
    message: 'no secret "a%b é\ttab"',
  },
  { name: 'anything else is internal', thrown: new TypeError('oops'), kind: 'internal', message: 'oops' },
  {
    name: 'a very long message is cut',
    thrown: new Failure('exists', 'X', 'é'.repeat(50_000)),
    kind: 'exists',
    message: 'é'.repeat(4096),
  },
];
for (const { name, thrown, kind, message: expected } of endings) {
  test(`gRPC: what a handler throws: ${name}`, async () => {
    await using both = await join({
      'a.B/Fail': async () => {
        throw thrown;
      },
      'a.B/FailLater': async (call) => {
        await call.send(Buffer.from('one'));
        throw thrown;
      },
    });
    await assert.rejects(both.client.call('a.B/Fail', Buffer.alloc(0), { signal: never }), { kind, message: expected });
    const later = both.client.open('a.B/FailLater', { signal: never });
    const got: string[] = [];
    await assert.rejects(
      async () => {
        for await (const one of later.received) got.push(one.toString());
      },
      { kind, message: expected },
    );
    assert.deepEqual(got, ['one']);
  });
}

test('gRPC: an unknown method is refused, and the connection goes on', async () => {
  await using both = await join({ 'a.B/Echo': echo });
  await assert.rejects(both.client.call('a.B/Nothing', Buffer.alloc(100_000), { signal: never }), {
    kind: 'unsupported',
    message: "unknown method a.B/Nothing of this host's build service",
  });
  assert.equal((await both.client.call('a.B/Echo', Buffer.from('x'), { signal: never })).toString(), 'x');
});

test('gRPC: details are told, and left out when they are too large for a header', async () => {
  for (const size of [100, 1 << 20]) {
    await using both = await join({
      'a.B/Fail': async () => {
        throw new DetailedFailure('invalid', 'X', { status: { code: 2, message: 'no', details: Buffer.alloc(size) } });
      },
    });
    await assert.rejects(both.client.call('a.B/Fail', Buffer.alloc(0), { signal: never }), { message: 'no' });
  }
});

test('gRPC: a client that gives a call up aborts its handler alone', async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<unknown>();
  await using both = await join({
    'a.B/Wait': async (call) => {
      await call.send(Buffer.from('here'));
      call.signal.addEventListener('abort', () => resolve(call.signal.reason));
      for await (const one of call.received) await call.send(one);
    },
    'a.B/Echo': echo,
  });
  const control = new AbortController();
  const stream = both.client.open('a.B/Wait', { signal: control.signal });
  const received = stream.received[Symbol.asyncIterator]();
  assert.equal((await received.next()).value?.toString(), 'here');
  control.abort(new Failure('cancelled', 'X', 'not wanted'));
  await assert.rejects(received.next(), { message: 'not wanted' });
  assert.match(String(await aborted), /gave the call up/);
  assert.equal((await both.client.call('a.B/Echo', Buffer.from('x'), { signal: never })).toString(), 'x');
});

test('gRPC: the end of the connection ends calls on both sides', async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  await using both = await join({
    'a.B/Wait': async (call) => {
      call.signal.addEventListener('abort', () => resolve());
      await call.send(Buffer.from('here'));
      await new Promise<void>((ended) => call.signal.addEventListener('abort', () => ended()));
    },
  });
  const stream = both.client.open('a.B/Wait', { signal: never });
  const received = stream.received[Symbol.asyncIterator]();
  await received.next();
  both.client.close();
  await aborted;
  await both.served;
  await assert.rejects(received.next(), { kind: 'unavailable' });
  await assert.rejects(both.client.call('a.B/Wait', Buffer.alloc(0), { signal: never }), { kind: 'unavailable' });
});

test('gRPC: a server that is told to stop breaks its connection, and ends when its handlers have', async () => {
  const control = new AbortController();
  let ended = false;
  await using both = await join(
    {
      'a.B/Wait': async (call) => {
        await call.send(Buffer.from('here'));
        await new Promise<void>((stop) => call.signal.addEventListener('abort', () => setTimeout(stop, 20)));
        ended = true;
      },
    },
    control.signal,
  );
  const received = both.client.open('a.B/Wait', { signal: never }).received[Symbol.asyncIterator]();
  await received.next();
  control.abort();
  await both.served;
  assert.ok(ended);
  await assert.rejects(received.next(), { kind: 'unavailable' });
  await both.client.closed;
});

test('gRPC: who does not read holds up who sends, and nothing is kept in between', async () => {
  let sent = 0;
  await using both = await join({
    'a.B/Flood': async (call) => {
      while (!call.signal.aborted && sent < 200 << 20) {
        await call.send(Buffer.alloc(64 << 10));
        sent += 64 << 10;
      }
    },
    'a.B/Echo': echo,
  });
  const stream = both.client.open('a.B/Flood', { signal: never });
  while (sent === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let before = -1; before !== sent; ) {
    before = sent;
    await both.client.call('a.B/Echo', Buffer.from('x'), { signal: never });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(sent < 8 << 20, `${sent} bytes were sent to nobody`);
  stream.close();
});

const hostile: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'is no HTTP/2', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n') },
  { name: 'is noise', bytes: Buffer.alloc(100_000, 0xa5) },
  {
    name: 'has a frame of 16 MiB',
    bytes: h2(Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(1 << 20)),
  },
  { name: 'has data of no stream', bytes: h2(h2Frame(0, 0, 7, Buffer.alloc(10))) },
  { name: 'has broken header compression', bytes: h2(h2Frame(1, 4, 1, Buffer.alloc(20, 0xff))) },
  { name: 'has a window of no size', bytes: h2(h2Frame(8, 0, 0, Buffer.alloc(4))) },
];
for (const { name, bytes } of hostile) {
  test(`gRPC: a connection that ${name} is closed`, async () => {
    await using pair = await connectedPair();
    const served = serveGrpc(pair.left, new Map(), { signal: never });
    pair.right.resume();
    pair.right.write(bytes);
    await served;
  });
}

test('gRPC: a client that resets calls without end is thrown out', async () => {
  await using pair = await connectedPair();
  const served = serveGrpc(pair.left, new Map([['a.B/Echo', echo]]), { signal: never });
  pair.right.resume();
  pair.right.write(h2());
  const head = Buffer.from([0x83, 0x86, 0x84, 0x41, 1, 0x78]); // POST http / of x
  const flood = Array.from({ length: 5000 }, (_, index) => {
    const stream = index * 2 + 1;
    return Buffer.concat([h2Frame(1, 4, stream, head), h2Frame(3, 0, stream, Buffer.from([0, 0, 0, 8]))]);
  });
  pair.right.write(Buffer.concat(flood));
  await served;
});

const frames: readonly { readonly name: string; readonly bytes: Buffer; readonly error: object }[] = [
  { name: 'a compressed message', bytes: Buffer.from([1, 0, 0, 0, 1, 0]), error: { kind: 'invalid' } },
  { name: 'a message over the limit', bytes: Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), error: { kind: 'exhausted' } },
  { name: 'an end within a message', bytes: Buffer.from([0, 0, 0, 0, 2, 1]), error: { kind: 'invalid' } },
  { name: 'an end within a head', bytes: Buffer.from([0, 0, 0]), error: { kind: 'invalid' } },
];
for (const { name, bytes, error } of frames) {
  test(`gRPC messages: ${name} is refused`, async () => {
    await assert.rejects(allOf(readMessages(inPieces(bytes, 1))), error);
  });
}

test('gRPC messages: the same in pieces of any size', async () => {
  const all = [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(300, 7), Buffer.alloc(0), Buffer.from('z')];
  const bytes = Buffer.concat(all.map((one) => frameMessages([one])));
  for (const size of [1, 2, 4, 5, 6, 11, 299, bytes.length]) {
    assert.deepEqual(await allOf(readMessages(inPieces(bytes, size))), all, `pieces of ${size}`);
  }
  assert.ok(MESSAGE_LIMIT > 4 << 20);
});

async function allOf(messages: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const one of messages) all.push(one);
  return all;
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What a client of HTTP/2 says first, and then these frames. */
function h2(...following: Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    h2Frame(4, 0, 0, Buffer.alloc(0)),
    ...following,
  ]);
}

function h2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
