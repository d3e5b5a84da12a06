import { chmodSync, chownSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Mount } from '../../dockerfile/mount.ts';
import { openOwnedSocket } from '../../host/owned-socket.ts';
import { Failure } from '../../lib/error.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { LentAgent } from '../needs.ts';
import { relayAgent } from './agent-relay.ts';
import type { MountPlace, OpenedMounts, PlannedMount } from './run-mounts.ts';

const DEFAULT_MODE = 0o600;

/**
 * `--mount=type=ssh`: a socket through which this RUN can ask the client's SSH agent for signatures, and for nothing else.
 * It ends with the RUN.
 */
export function planAgent(
  { session, instruction }: MountPlace,
  mount: Extract<Mount, { type: 'ssh' }>,
  target: string,
): PlannedMount {
  const { id, required, owner } = mount;
  session.trace.lends('agent', id, required);
  return {
    name: target,
    key: `ssh ${id}${required ? ' required' : ''}`,
    async open(scope): Promise<OpenedMounts> {
      const agent = await session.lent.agent(id, session);
      if (!agent) {
        if (!required) return { mounts: [], secretEnv: [] };
        throw new Failure('not-found', 'SSH_MISSING', `unset ssh forward key ${id}`, {
          source: instruction.source,
          hint: `bring an agent with --ssh ${id}`,
        });
      }
      // What is wrong is said now, not to a program in the container.
      if (agent.kind === 'socket') openOwnedSocket(agent.path, agent.user)[Symbol.dispose]();
      const folder = scope.use(makeScratchFolder(session.memory, 'ssh'));
      const path = join(folder.path, 's');
      const server = scope.use(await listen(path, (client) => void relayAgent(client, () => connectTo(agent))));
      chownSync(server.path, owner.uid ?? 0, owner.gid ?? 0);
      chmodSync(server.path, owner.mode ?? DEFAULT_MODE);
      return {
        mounts: [{ kind: 'bind', source: path, target, readOnly: false }],
        secretEnv: [`SSH_AUTH_SOCK=${target}`],
      };
    },
  };
}

/**
 * Connects to the agent. The host may be mightier than its client: it only connects to a socket that belongs to the
 * client's own user, and to the very file that it has looked at.
 */
function connectTo(agent: LentAgent): Duplex {
  if (agent.kind === 'stream') return agent.connect();
  using socket = openOwnedSocket(agent.path, agent.user);
  const connection = connect(socket.path);
  connection.on('error', () => {}); // the relay sees the end
  return connection;
}

async function listen(
  path: string,
  serve: (client: Socket) => void,
): Promise<{ readonly path: string } & AsyncDisposable> {
  const clients = new Set<Socket>();
  const server: Server = createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => {}); // 'close' follows
    serve(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    path,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const client of clients) client.destroy();
      }),
  };
}
