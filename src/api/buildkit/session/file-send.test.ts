import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { rawTar } from '../../../tar/tar-fixture.ts';
import type { GrpcHandler } from '../grpc/server.ts';
import { BytesMessage, entryOf, Packet, PacketType } from '../shapes/fsutil.ts';
import { sendArchive, sendTree } from './file-send.ts';
import { testSession } from './test-session.ts';

const METHOD = 'moby.filesync.v1.FileSend/DiffCopy';
const never = new AbortController().signal;

interface Received {
  readonly entries: string[];
  readonly contents: Map<string, string>;
}

/** A client that asks for every file at once, as Docker's does, and has enough when it has all. */
function folderTaker(received: Received): GrpcHandler {
  return async (call) => {
    const paths: string[] = [];
    const open = new Map<number, string>();
    let isListed = false;
    for await (const bytes of call.received) {
      const { type, stat, id, data } = Packet.decode(bytes);
      if (type === PacketType.finish) return;
      if (type === PacketType.stat && stat) {
        const { path, type: kind, mode, link, size } = entryOf(stat);
        received.entries.push(`${path} ${kind} ${mode.toString(8)} ${size} ${link}`);
        const number = paths.push(path) - 1;
        if (kind === 'file' && link === '') {
          open.set(number, '');
          await call.send(Packet.encode({ type: PacketType.request, id: number }));
        }
      } else if (type === PacketType.stat) isListed = true;
      else if (data.length > 0) open.set(id, open.get(id) + Buffer.from(data).toString());
      else {
        received.contents.set(paths[id] ?? '', open.get(id) ?? '');
        open.delete(id);
      }
      if (isListed && open.size === 0) await call.send(Packet.encode({ type: PacketType.finish }));
    }
  };
}

const large = 'x'.repeat(9 << 20);
const tar = rawTar(
  { name: 'a', content: 'one', mode: 0o4755 },
  { name: 'd/', flag: '5', mode: 0o755 },
  { name: 'd/empty' },
  { name: 'd/l', flag: '2', link: '../a', mode: 0o777 },
  { name: 'e', flag: '1', link: 'a' },
  { name: 'large', content: large },
  { name: 'z', content: 'last' },
);

test('a tree goes to a client that asks for its files', async () => {
  const received: Received = { entries: [], contents: new Map() };
  await using client = await testSession({ [METHOD]: folderTaker(received) });
  let sent = 0;
  await sendTree(client.session, Readable.from([tar]), {
    index: 0,
    signal: never,
    progress: (bytes) => {
      sent = bytes;
    },
  });
  assert.deepEqual(received.entries, [
    'a file 4755 3 ',
    'd directory 755 0 ',
    'd/empty file 644 0 ',
    'd/l symlink 777 0 ../a',
    'e file 644 0 a',
    `large file 644 ${large.length} `,
    'z file 644 4 ',
  ]);
  assert.deepEqual([...received.contents.keys()].sort(), ['a', 'd/empty', 'large', 'z']);
  assert.ok(received.contents.get('large') === large);
  assert.equal(sent, large.length + 7);
});

const refusals: readonly [name: string, answer: GrpcHandler, message: RegExp][] = [
  [
    'says what is wrong',
    async (call) => call.send(Packet.encode({ type: PacketType.error, data: Buffer.from('no room') })),
    /no room/,
  ],
  [
    'fails',
    async () => {
      throw new Failure('denied', 'X', 'not here');
    },
    /not here/,
  ],
  [
    'asks for what is not there',
    async (call) => call.send(Packet.encode({ type: PacketType.request, id: 99 })),
    /asks for no file of the output: 99/,
  ],
];
for (const [name, answer, message] of refusals)
  test(`a client that ${name} gets no tree`, async () => {
    await using client = await testSession({ [METHOD]: answer });
    await assert.rejects(sendTree(client.session, Readable.from([tar]), { index: 0, signal: never }), message);
  });

test('an archive goes to the output that it is for', async () => {
  let text = '';
  let index: readonly string[] | undefined;
  await using client = await testSession({
    [METHOD]: async (call) => {
      index = call.metadata.get('buildkit-attachable-exporter-id');
      for await (const bytes of call.received) text += Buffer.from(BytesMessage.decode(bytes).data).toString();
    },
  });
  await sendArchive(client.session, Readable.from(['some', 'bytes', large]), { index: 3, signal: never });
  assert.deepEqual([text.slice(0, 9), text.length, index], ['somebytes', 9 + large.length, ['3']]);
});

test('a client that cannot write an archive is heard', async () => {
  await using client = await testSession({
    [METHOD]: async () => {
      throw new Failure('exists', 'X', 'target already exists');
    },
  });
  await assert.rejects(sendArchive(client.session, Readable.from(['x']), { index: 0, signal: never }));
  await using none = await testSession({});
  await assert.rejects(sendArchive(none.session, Readable.from(['x']), { index: 0, signal: never }), /takes no files/);
});
