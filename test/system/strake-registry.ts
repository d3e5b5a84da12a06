/** `strake registry serve` for tests, in a process, a folder and on a port of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { leftovers, STRAKE } from './harness.ts';

export interface StrakeRegistry extends AsyncDisposable {
  /** `address:port`, as image names have it. */
  readonly host: string;
  readonly data: string;
  readonly pid: number;
  /** Ends it with this signal and waits. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same folder and port. */
  restart(): Promise<void>;
  log(): string;
}

/** `name` is the one that clients use, when it is not the address. */
export async function startStrakeRegistry(
  parent: string,
  options: {
    readonly flags?: readonly string[];
    readonly address?: string;
    readonly name?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<StrakeRegistry> {
  const folder = join(parent, `strake-registry-${started++}`);
  mkdirSync(folder);
  const [data, logFile] = [join(folder, 'data'), join(folder, 'log')];
  const address = options.address ?? '127.0.0.1';
  let port = '0';
  let child = await launch();

  async function launch() {
    const log = openSync(logFile, 'w');
    const words = ['registry', 'serve', '--listen', `${address}:${port}`, '--data', data, ...(options.flags ?? [])];
    const child = spawn(STRAKE, words, { stdio: ['ignore', log, log], env: { ...process.env, ...options.env } });
    closeSync(log);
    for (const deadline = Date.now() + 20_000; ; await sleep(10)) {
      const listening = / listening address="[^"]*:(\d+)"/.exec(readFileSync(logFile, 'utf8'))?.[1];
      if (listening !== undefined) {
        port = listening;
        return child;
      }
      assert.ok(child.exitCode === null && Date.now() < deadline, readFileSync(logFile, 'utf8'));
    }
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  return {
    host: `${options.name ?? (address === '127.0.0.1' ? 'localhost' : address)}:${port}`,
    data,
    get pid() {
      return child.pid ?? 0;
    },
    stop,
    async restart() {
      child = await launch();
    },
    log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    async [Symbol.asyncDispose]() {
      await stop();
      assert.deepEqual(leftovers(folder), [], 'the registry left something behind');
    },
  };
}

let started = 0;
