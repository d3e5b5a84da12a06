import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, systemCode } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { Firewall } from './firewall.ts';
import { type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';

// Hosts of other data roots on this machine. A host that was killed leaves packet rules and bridges behind, which a later
// host would suffer from: a rule of a bridge that is gone changes the sender of what goes over the bridge that has its
// subnet now. Interfaces, rules and abstract sockets belong to the same network namespace, so a socket tells who lives.

/** Milliseconds that another host may take to remove what carries our tag. */
const PATIENCE = 10_000;
const PAUSE = 20;

/** The mark on a host's interfaces: even, not 0. The odd one after it is for interfaces that go. */
export function groupOf(tag: string): number {
  return (Number.parseInt(tag, 16) >>> 1) & ~1 || 2;
}

/** Shows other hosts that the host of this tag lives, until disposed. Waits for one that is just sweeping up after it. */
export async function holdTag(tag: string, log: Log): Promise<AsyncDisposable> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(PAUSE)) {
    const held = await tryHold(tag);
    if (held) return held;
  }
  // Any user may take the name. It keeps others from sweeping all the same.
  log.warn('the socket that tells other hosts of this one is taken', { name: socketName(tag).replace('\0', '@') });
  return { [Symbol.asyncDispose]: async () => {} };
}

/** Removes the packet rules and bridges of hosts that live no more, but not those that a container left running still uses. */
export async function sweep(
  firewall: Firewall,
  { tasks, log }: { readonly tasks: NetworkTaskRunner; readonly log: Log },
): Promise<void> {
  for (const tag of await firewall.others()) {
    await using held = await tryHold(tag);
    if (!held) continue;
    const group = groupOf(tag);
    if (await runNetworkTask(tasks, 'network.isInUse', { group })) continue;
    try {
      await runNetworkTask(tasks, 'network.removeGroup', { group });
      await new Firewall(tag).clear();
      log.info('removed the packet rules of a host that lives no more', { tag });
    } catch (error) {
      log.warn('cannot remove the packet rules of a host that lives no more', { tag, why: messageOf(error) });
    }
  }
}

/** Undefined when somebody holds it. */
async function tryHold(tag: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((connection) => connection.destroy()).unref();
  try {
    await once(server.listen(socketName(tag)), 'listening');
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
  return { [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** The name of an abstract socket begins with a NUL, see unix(7). */
function socketName(tag: string): string {
  return `\0strake-network-${tag}`;
}
