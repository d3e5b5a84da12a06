import { GrpcClient } from '../grpc/client.ts';
import { type GrpcHandler, serveGrpc } from '../grpc/server.ts';
import { connectedPair } from '../grpc/test-connection.ts';
import { goMode, Packet, PacketType } from '../shapes/fsutil.ts';
import type { ClientSession } from './sessions.ts';

/** A session whose client answers with these handlers, for a test. */
export async function testSession(
  handlers: Readonly<Record<string, GrpcHandler>>,
): Promise<AsyncDisposable & { readonly session: ClientSession }> {
  const pair = await connectedPair();
  const stop = new AbortController();
  const served = serveGrpc(pair.left, new Map(Object.entries(handlers)), { signal: stop.signal });
  const grpc = new GrpcClient(pair.right);
  const closed = new AbortController();
  return {
    session: {
      id: 'test',
      name: 'test',
      sharedKey: 'test',
      has: (method) => method in handlers,
      grpc,
      closed: closed.signal,
    },
    [Symbol.asyncDispose]: async () => {
      grpc.close();
      stop.abort();
      await served;
      await pair[Symbol.asyncDispose]();
    },
  };
}

export interface TestFile {
  readonly path: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'fifo';
  readonly mode?: number;
  readonly content?: string | Buffer;
  readonly link?: string;
  readonly modified?: bigint;
}

/** A client that gives one folder, as Docker's does: lists it and sends what it is asked for. */
export function folderHandler(
  files: readonly TestFile[],
  seen: (metadata: ReadonlyMap<string, readonly string[]>, asked: string[]) => void = () => {},
): GrpcHandler {
  return async (call) => {
    const asked: string[] = [];
    const list = async () => {
      for (const { path, type = 'file', mode = 0o644, content = '', link = '', modified = 1n } of files) {
        const stat = { path, mode: goMode(type, mode), size: Buffer.byteLength(content), link, modified };
        await call.send(Packet.encode({ type: PacketType.stat, stat: { ...EMPTY, ...stat } }));
      }
      await call.send(Packet.encode({ type: PacketType.stat }));
    };
    const listing = list();
    for await (const bytes of call.received) {
      const { type, id } = Packet.decode(bytes);
      if (type === PacketType.finish) {
        await call.send(Packet.encode({ type: PacketType.finish }));
        break;
      }
      if (type !== PacketType.request) break;
      const file = files[id];
      if (!file) throw new Error(`no file ${id}`);
      asked.push(file.path);
      const content = Buffer.from(file.content ?? '');
      for (let at = 0; at < content.length; at += 32_768)
        await call.send(Packet.encode({ type: PacketType.data, id, data: content.subarray(at, at + 32_768) }));
      await call.send(Packet.encode({ type: PacketType.data, id }));
    }
    await listing;
    seen(call.metadata, asked);
  };
}

const EMPTY = { uid: 0, gid: 0, major: 0, minor: 0, xattrs: new Map<string, Uint8Array>() };
