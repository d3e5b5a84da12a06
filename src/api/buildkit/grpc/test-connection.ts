import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeScratchFolder } from '../../../lib/scratch.ts';

export interface ConnectedPair extends AsyncDisposable {
  readonly left: Socket;
  readonly right: Socket;
}

/** Both ends of a connection, for a test. */
export async function connectedPair(): Promise<ConnectedPair> {
  const folder = makeScratchFolder(tmpdir(), 'strake-pair');
  const path = join(folder.path, 's');
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, resolve);
  await new Promise<void>((listening) => server.listen(path, listening));
  const left = connect({ path, allowHalfOpen: true });
  const right = await promise;
  server.close();
  return {
    left: left.on('error', () => {}),
    right: right.on('error', () => {}),
    [Symbol.asyncDispose]: async () => {
      left.destroy();
      right.destroy();
      await folder[Symbol.asyncDispose]();
    },
  };
}
