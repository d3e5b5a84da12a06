import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cancelled, Failure, isFailure } from '../../lib/error.ts';
import { EngineClient } from './engine-client.ts';
import type { HostChoice } from './host-choice.ts';

const READY_WITHIN = 15_000;
/** How long to go on after our own host left: another one, started at the same moment, may hold the store. */
const RIVAL_WITHIN = 3_000;
const TAIL = 2_000;

/**
 * Connects to the chosen host; starts it when none listens and it may be started. Two commands may do this at once:
 * the host that does not get the store's lock leaves, and both commands reach the other.
 */
export async function connectOrStart(choice: HostChoice, hostScript: URL, signal: AbortSignal): Promise<EngineClient> {
  const client = await connectOrUndefined(choice, signal);
  const connected = client ?? (await startAndConnect(choice, hostScript, signal));
  if (choice.dataRootChosen && client?.strakeVersion !== undefined) await checkDataRoot(client, choice, signal);
  return connected;
}

/** Environment of a host that this command starts: what the launcher took away for its own speed is put back. */
export function hostEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { STRAKE_EXTRA_CA_CERTS: certificates, ...rest } = env;
  return certificates === undefined ? rest : { ...rest, NODE_EXTRA_CA_CERTS: certificates };
}

async function connectOrUndefined(choice: HostChoice, signal: AbortSignal): Promise<EngineClient | undefined> {
  try {
    return await EngineClient.connect(choice.endpoint, signal);
  } catch (error) {
    if (choice.mayStart && isFailure(error) && error.code === 'HOST_UNREACHABLE') return undefined;
    throw error;
  }
}

async function startAndConnect(choice: HostChoice, hostScript: URL, signal: AbortSignal): Promise<EngineClient> {
  const { endpoint, dataRoot } = choice;
  mkdirSync(dataRoot, { recursive: true, mode: 0o711 });
  if (endpoint.kind === 'unix') mkdirSync(dirname(endpoint.path), { recursive: true, mode: 0o755 });
  const logPath = join(dataRoot, 'host.log');
  const log = openSync(logPath, 'a', 0o600);
  const logStart = fstatSync(log).size;
  const args = ['--host', endpoint.text, '--data-root', dataRoot, '--idle-exit', '300'];
  const child = spawn(process.execPath, [fileURLToPath(hostScript), ...args], {
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

async function checkDataRoot(client: EngineClient, choice: HostChoice, signal: AbortSignal): Promise<void> {
  const info = await client.json<{ DockerRootDir: string }>('GET', '/info', { signal });
  if (info.DockerRootDir === choice.dataRoot) return;
  throw new Failure(
    'conflict',
    'DATA_ROOT_MISMATCH',
    `the host at ${choice.endpoint.text} has data root ${info.DockerRootDir}, not ${choice.dataRoot}`,
    { hint: 'choose another socket with -H for another data root' },
  );
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
