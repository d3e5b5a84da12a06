import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientEntry, FileSink } from '../../backend/build.ts';
import type { GrpcHandler } from '../grpc/server.ts';
import { entryOf, goMode, Packet, PacketType } from '../shapes/fsutil.ts';
import { clientFiles } from './file-sync.ts';
import { folderHandler, type TestFile, testSession } from './test-session.ts';

const METHOD = 'moby.filesync.v1.FileSync/DiffCopy';
const never = new AbortController().signal;
const everything = { name: 'context', exclude: [], followPaths: undefined };

/** Takes the files that `wants` names. */
class TestSink implements FileSink {
  readonly entries: ClientEntry[] = [];
  readonly contents = new Map<string, string>();
  isListed = false;
  readonly #wants: (entry: ClientEntry) => boolean;

  constructor(wants: (entry: ClientEntry) => boolean = ({ type }) => type === 'file') {
    this.#wants = wants;
  }

  passes(): boolean {
    return false;
  }

  add(entry: ClientEntry) {
    this.entries.push(entry);
    if (!this.#wants(entry)) return undefined;
    let text = '';
    return {
      write: (chunk: Uint8Array) => {
        text += Buffer.from(chunk).toString('latin1');
      },
      end: () => void this.contents.set(entry.path, text),
    };
  }

  listed(): void {
    this.isListed = true;
  }
}

async function syncWith(handler: GrpcHandler, sink: FileSink, request: Parameters<typeof sync>[1] = everything) {
  await using client = await testSession({ [METHOD]: handler });
  await sync(client.session, request, sink);
}

function sync(
  session: Parameters<typeof clientFiles>[0],
  request: {
    readonly name: string;
    readonly exclude: readonly string[];
    readonly followPaths: readonly string[] | undefined;
  },
  sink: FileSink,
  signal = never,
) {
  return clientFiles(session).sync(request, sink, { signal });
}

test('a folder is listed, and the contents that are wanted come', async () => {
  const many: TestFile[] = Array.from({ length: 300 }, (_, i) => ({ path: `d/${1000 + i}`, content: `file ${i}` }));
  const large = 'x'.repeat(200_000);
  const files: TestFile[] = [{ path: 'd', type: 'directory', mode: 0o1755 }, ...many, { path: 'e', content: large }];
  const sink = new TestSink(({ type, path }) => type === 'file' && path !== 'd/1007');
  let asked: readonly string[] = [];
  await syncWith(
    folderHandler(files, (_, paths) => {
      asked = paths;
    }),
    sink,
  );
  assert.equal(sink.entries.length, 302);
  assert.deepEqual([sink.entries[0]?.type, sink.entries[0]?.mode, sink.isListed], ['directory', 0o1755, true]);
  assert.equal(sink.contents.get('e'), large);
  assert.equal(sink.contents.get('d/1299'), 'file 299');
  assert.equal(sink.contents.size, 300);
  assert.ok(!asked.includes('d/1007'));
});

test('what is asked of a folder goes as metadata, and what is not ASCII is marked', async () => {
  let metadata: ReadonlyMap<string, readonly string[]> = new Map();
  await syncWith(
    folderHandler([], (seen) => {
      metadata = seen;
    }),
    new TestSink(),
    { name: 'context', exclude: ['a b', '!c, d'], followPaths: ['é x+', 'f'] },
  );
  const of = (key: string) => metadata.get(key)?.join('|').replaceAll(', ', '|');
  assert.equal(of('dir-name'), 'context');
  assert.equal(of('exclude-patterns'), 'a b|!c|d');
  assert.equal(of('followpaths'), '%C3%A9%20x%2B|f');
  assert.deepEqual([of('followpaths-encoded'), of('exclude-patterns-encoded')], ['1', undefined]);
});

test('a list without end is not sent', async () => {
  let metadata: ReadonlyMap<string, readonly string[]> = new Map();
  const request = {
    name: 'context',
    exclude: ['excluded'],
    followPaths: Array.from({ length: 50_000 }, (_, i) => `wanted/file/${i}`),
  };
  await syncWith(
    folderHandler([], (seen) => {
      metadata = seen;
    }),
    new TestSink(),
    request,
  );
  assert.deepEqual(metadata.get('exclude-patterns'), ['excluded']);
  assert.equal(metadata.get('followpaths'), undefined);
});

const stat = (path: string) =>
  Packet.encode({
    type: PacketType.stat,
    stat: { path, mode: 0o644, uid: 0, gid: 0, size: 3, modified: 1n, link: '', major: 0, minor: 0, xattrs: new Map() },
  });
const end = Packet.encode({ type: PacketType.stat });

const broken: readonly [name: string, packets: readonly Uint8Array[], message: RegExp][] = [
  [
    'content that nobody wants',
    [Packet.encode({ type: PacketType.data, id: 5, data: Buffer.from('x') })],
    /not asked for: 5/,
  ],
  [
    'content after its end',
    [stat('a'), end, ...[1, 2].map(() => Packet.encode({ type: PacketType.data }))],
    /not asked for: 0/,
  ],
  ['entries after the end', [stat('a'), end, stat('b')], /more files after the end/],
  ['an end before all files', [stat('a'), Packet.encode({ type: PacketType.finish })], /ends before all files/],
  ['an error', [Packet.encode({ type: PacketType.error, data: Buffer.from('no such folder') })], /no such folder/],
  ['a packet of no known type', [Packet.encode({ type: 9 })], /a packet of type 9/],
  ['bytes that are no packet', [Buffer.from([0xff])], /malformed protobuf/],
  ['an end of the call', [stat('a'), end], /broke off the folder context/],
];
for (const [name, packets, message] of broken)
  test(`a client that sends ${name} is refused`, async () => {
    const answer: GrpcHandler = async (call) => {
      for (const packet of packets) await call.send(packet);
    };
    await assert.rejects(syncWith(answer, new TestSink()), message);
  });

test('what the sink refuses is told to the client', async () => {
  const told = Promise.withResolvers<string>();
  const answer: GrpcHandler = async (call) => {
    await call.send(stat('a'));
    for await (const bytes of call.received) {
      const { type, data } = Packet.decode(bytes);
      if (type === PacketType.error) told.resolve(Buffer.from(data).toString());
    }
  };
  const sink: FileSink = {
    passes: () => false,
    add() {
      throw new Error('not this one');
    },
    listed() {},
  };
  await using client = await testSession({ [METHOD]: answer });
  await assert.rejects(sync(client.session, everything, sink), /not this one/);
  assert.equal(await told.promise, 'not this one');
});

test('a client that says nothing is given up with the build; one without folders is named', async () => {
  const stop = new AbortController();
  await using client = await testSession({
    [METHOD]: async (call) => {
      for await (const _ of call.received);
    },
  });
  const waiting = sync(client.session, everything, new TestSink(), stop.signal);
  stop.abort(new Error('over'));
  await assert.rejects(waiting);
  await using none = await testSession({});
  await assert.rejects(sync(none.session, everything, new TestSink()), /no local sources enabled/);
});

for (const [name, type, mode] of [
  ['file', 'file', 0o644],
  ['program of root', 'file', 0o4755],
  ['shared folder', 'directory', 0o1777],
  ['folder of a group', 'directory', 0o2775],
  ['symlink', 'symlink', 0o777],
  ['fifo', 'fifo', 0o600],
] as const)
  test(`the mode of a ${name} is the same there and back`, () => {
    const { type: there, mode: bits } = entryOf({
      path: 'x',
      mode: goMode(type, mode),
      uid: 0,
      gid: 0,
      size: 0,
      modified: 0n,
      link: '',
      major: 0,
      minor: 0,
      xattrs: new Map(),
    });
    assert.deepEqual([there, bits], [type, mode]);
  });
