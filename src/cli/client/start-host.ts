import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cancelled, Failure } from '../../lib/error.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import type { EngineClient } from './engine-client.ts';
import type { HostChoice } from './host-choice.ts';
import { HOST_NODE_FLAGS, hostEnvironment } from './host-environment.ts';
import { connectOrUndefined } from './try-connect.ts';

const READY_WITHIN = 15_000;
/** How long to go on after our own host left: another one, started at the same moment, may hold the store. */
const RIVAL_WITHIN = 3_000;
const TAIL = 2_000;

/** Starts a host, detached, with its output in `host.log` of the data root, and connects when it is ready. */
export async function startAndConnect(choice: HostChoice, hostScript: URL, signal: AbortSignal): Promise<EngineClient> {
  const { endpoint, dataRoot } = choice;
  makeFolder(dataRoot, 0o711);
  if (endpoint.kind === 'unix') mkdirSync(dirname(endpoint.path), { recursive: true, mode: 0o755 });
  const logPath = join(dataRoot, 'host.log');
  const log = openSync(logPath, 'a', 0o600);
  const logStart = fstatSync(log).size;
  const args = ['--host', endpoint.text, '--data-root', dataRoot, '--idle-exit'];
  const child = spawn(process.execPath, [...HOST_NODE_FLAGS, fileURLToPath(hostScript), ...args], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', log, log],
    env: hostEnvironment(process.env),
  });
  closeSync(log);
  let endedAt: number | undefined;
  child.on('exit', () => {
    endedAt = Date.now();
  });
  child.on('error', () => {
    endedAt = Date.now();
  });
  child.unref();

  const startedAt = Date.now();
  for (let pause = 5; ; pause = Math.min(pause * 1.5, 50)) {
    if (signal.aborted) throw cancelled(signal);
    await delay(pause);
    const client = await connectOrUndefined(choice, signal);
    if (client) return client;
    const now = Date.now();
    const lost = endedAt !== undefined && now - endedAt > RIVAL_WITHIN;
    if (!lost && now - startedAt < READY_WITHIN) continue;
    const tail = tailOf(logPath, logStart);
    const what = lost ? 'ended before it answered' : `did not answer within ${READY_WITHIN / 1000} seconds`;
    throw new Failure('unavailable', 'HOST_NOT_READY', `the host for ${endpoint.text} ${what}${tail}`, {
      hint: `its log is ${logPath}; \`strake host\` runs it in the foreground`,
    });
  }
}

function tailOf(path: string, start: number): string {
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    const from = Math.max(start, size - TAIL);
    const buffer = Buffer.alloc(size - from);
    readSync(file, buffer, 0, buffer.length, from);
    const text = buffer.toString('utf8').trim();
    return text === '' ? '' : `:\n${text}`;
  } finally {
    closeSync(file);
  }
}
