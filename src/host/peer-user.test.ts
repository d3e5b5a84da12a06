import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { peerUser } from './peer-user.ts';

test('a unix connection tells its user, one over the network does not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-peer-'));
  const server = createServer();
  try {
    for (const [address, expected] of [
      [{ path: join(folder, 's') }, process.getuid?.()],
      [{ port: 0, host: '127.0.0.1' }, undefined],
    ] as const) {
      server.listen(address);
      await once(server, 'listening');
      const bound = server.address();
      const accepted = once(server, 'connection');
      const client = typeof bound === 'string' ? connect(bound) : connect(bound?.port ?? 0, '127.0.0.1');
      const [connection]: Socket[] = await accepted;
      assert.ok(connection);
      assert.equal(peerUser(connection), expected);
      client.destroy();
      connection.destroy();
      server.close();
      await once(server, 'close');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
