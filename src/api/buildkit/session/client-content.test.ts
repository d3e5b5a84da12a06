import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { digestOf } from '../../../oci/digest.ts';
import { type GrpcCall, type GrpcHandler, onlyMessage } from '../grpc/server.ts';
import {
  abortRequest,
  infoRequest,
  infoResponse,
  readRequest,
  readResponse,
  WriteAction,
  writeRequest,
  writeResponse,
} from '../shapes/content.ts';
import { SessionContent } from './client-content.ts';
import { testSession } from './test-session.ts';

const SERVICE = 'containerd.services.content.v1.Content';
const never = { signal: new AbortController().signal };
const bytes = Buffer.alloc(3 << 20, 'blob');
const blob = { digest: digestOf(bytes), size: bytes.length };

/** A client with one store, `local:/cache`. */
function store(stored: Map<string, Buffer>) {
  const open = new Map<string, Buffer[]>();
  const mine = (call: GrpcCall) =>
    assert.deepEqual(call.metadata.get('buildkit-attachable-store-id'), ['local:/cache']);
  const handlers: Record<string, GrpcHandler> = {
    [`${SERVICE}/Info`]: async (call) => {
      mine(call);
      const { digest } = infoRequest.decode(await onlyMessage(call));
      const found = stored.get(digest);
      if (!found) throw new Failure('not-found', 'X', `content ${digest}: not found`);
      await call.send(infoResponse.encode({ info: { digest, size: found.length } }));
    },
    [`${SERVICE}/Read`]: async (call) => {
      mine(call);
      const { digest } = readRequest.decode(await onlyMessage(call));
      const found = stored.get(digest) ?? Buffer.alloc(0);
      for (let offset = 0; offset < found.length; offset += 1 << 20)
        await call.send(readResponse.encode({ offset, data: found.subarray(offset, offset + (1 << 20)) }));
    },
    [`${SERVICE}/Write`]: async (call) => {
      mine(call);
      for await (const message of call.received) {
        const { action, ref, offset, data, expected } = writeRequest.decode(message);
        const pieces = open.get(ref) ?? [];
        open.set(ref, pieces);
        assert.equal(
          offset,
          pieces.reduce((sum, piece) => sum + piece.length, 0),
        );
        if (data.length > 0) pieces.push(Buffer.from(data));
        if (action === WriteAction.commit) {
          const whole = Buffer.concat(pieces);
          open.delete(ref);
          if (digestOf(whole) !== expected) throw new Failure('conflict', 'X', 'unexpected commit digest');
          stored.set(expected, whole);
        }
        await call.send(writeResponse.encode({ action, offset: offset + data.length }));
      }
    },
    [`${SERVICE}/Abort`]: async (call) => {
      open.delete(abortRequest.decode(await onlyMessage(call)).ref);
      await call.send(Buffer.alloc(0));
    },
  };
  return { handlers, open };
}

async function* whole(content: Buffer) {
  yield content;
}

async function readAll(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('a blob goes to the client and comes back', async () => {
  const stored = new Map<string, Buffer>();
  await using client = await testSession(store(stored).handlers);
  const content = new SessionContent(client.session, 'local:/cache');
  assert.equal(await content.size(blob.digest, never), undefined);
  await content.write(blob, whole(bytes), never);
  assert.ok(stored.get(blob.digest)?.equals(bytes));
  assert.equal(await content.size(blob.digest, never), bytes.length);
  assert.ok((await readAll(content.read(blob, never))).equals(bytes));
});

test('an empty blob is written too', async () => {
  const stored = new Map<string, Buffer>();
  await using client = await testSession(store(stored).handlers);
  const digest = digestOf('');
  await new SessionContent(client.session, 'local:/cache').write({ digest, size: 0 }, whole(Buffer.alloc(0)), never);
  assert.equal(stored.get(digest)?.length, 0);
});

test('what the client has is not sent', async () => {
  await using client = await testSession(store(new Map([[blob.digest, bytes]])).handlers);
  const content = new SessionContent(client.session, 'local:/cache');
  // biome-ignore lint/correctness/useYield: it is not to be asked
  async function* unwanted(): AsyncGenerator<Buffer> {
    throw new Error('asked for');
  }
  await content.write(blob, unwanted(), never);
});

test('a blob whose source breaks leaves nothing with the client', async () => {
  const { handlers, open } = store(new Map());
  await using client = await testSession(handlers);
  async function* broken(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 10);
    throw new Failure('data-loss', 'LAYER_DAMAGED', 'the layer has changed');
  }
  const content = new SessionContent(client.session, 'local:/cache');
  await assert.rejects(content.write(blob, broken(), never), /the layer has changed/);
  assert.equal(open.size, 0);
});

const wrong: readonly [name: string, write: GrpcHandler, message: RegExp][] = [
  ['ends the write at once', async () => {}, /ended the write of blob sha256:\w+ early/],
  [
    'says another offset',
    async (call) => {
      for await (const _ of call.received) await call.send(writeResponse.encode({ offset: 1 }));
    },
    /the client has 1 bytes of blob/,
  ],
  [
    'answers with no message',
    async (call) => {
      for await (const _ of call.received) await call.send(Buffer.from([0xff, 0xff]));
    },
    /./,
  ],
  [
    'refuses it',
    async () => {
      throw new Failure('exhausted', 'X', 'no space left on device');
    },
    /no space left on device/,
  ],
];
for (const [name, write, message] of wrong) {
  test(`a client that ${name}`, async () => {
    await using client = await testSession({ ...store(new Map()).handlers, [`${SERVICE}/Write`]: write });
    const content = new SessionContent(client.session, 'local:/cache');
    await assert.rejects(content.write(blob, whole(bytes), never), message);
  });
}

test('another has brought the blob meanwhile', async () => {
  const write: GrpcHandler = async () => {
    throw new Failure('exists', 'X', 'already exists');
  };
  await using client = await testSession({ ...store(new Map()).handlers, [`${SERVICE}/Write`]: write });
  await new SessionContent(client.session, 'local:/cache').write(blob, whole(bytes), never);
});

test('a client that lends no content store', async () => {
  await using client = await testSession({});
  const content = new SessionContent(client.session, 'local:/cache');
  await assert.rejects(content.size(blob.digest, never), /lends no content store/);
});
