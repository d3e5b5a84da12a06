import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Failure, systemCode } from '../lib/error.ts';

/** Members of the first of these groups that exists may use the socket, when none is named. */
const GROUPS = ['strake', 'docker'];

/**
 * Listens on a unix socket. A socket that another host answers on is refused (kind `conflict`), one that is left over
 * from a dead host is replaced, any other file is left alone and refused. Members of `group`, by name or ID, may use it
 * too; empty: nobody else.
 */
export async function listenUnix(server: Server, path: string, group?: string): Promise<void> {
  const groupNumber = chooseGroup(group);
  mkdirSync(dirname(path), { recursive: true });
  await clearStale(path);
  // Nobody else may connect between the bind and the change of group: libuv binds within the call to listen.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path }, () => {
        server.off('error', reject);
        resolve();
      });
      process.umask(mask);
    });
  } catch (error) {
    throw new Failure(
      'unavailable',
      'LISTEN_FAILED',
      `cannot listen on ${path}: ${systemCode(error) ?? String(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    process.umask(mask);
  }
  openToGroup(path, groupNumber);
}

async function clearStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket())
    throw new Failure('invalid', 'NOT_A_SOCKET', `cannot listen on ${path}: it exists and is not a socket`);
  if (await answers(path))
    throw new Failure('conflict', 'HOST_RUNNING', `another host already answers on ${path}`, {
      hint: 'use that one, or choose another socket with --host',
    });
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.on('connect', () => done(true));
    // Only a refusal proves that nobody listens; a full queue (EAGAIN) or a lack of permission does not.
    socket.on('error', (error) => done(!['ECONNREFUSED', 'ENOENT'].includes(systemCode(error) ?? '')));
  });
}

function chooseGroup(group: string | undefined): number | undefined {
  if (group === undefined) return GROUPS.map(groupId).find((id) => id !== undefined);
  if (group === '') return undefined;
  const found = groupId(group) ?? (/^\d+$/.test(group) ? Number(group) : undefined);
  if (found !== undefined) return found;
  throw new Failure('invalid', 'NO_GROUP', `cannot listen on the socket for group ${group}: no such group`);
}

function openToGroup(path: string, group: number | undefined): void {
  if (group === undefined || process.getuid?.() !== 0) return;
  chownSync(path, 0, group);
  chmodSync(path, 0o660);
}

function groupId(name: string): number | undefined {
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`));
    const id = line?.split(':')[2];
    return id === undefined ? undefined : Number(id);
  } catch {
    return undefined;
  }
}
