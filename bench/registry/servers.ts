/** The registries that are measured: ours and Debian's docker-registry, each in a process and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const STRAKE = fileURLToPath(new URL('../../bin/strake', import.meta.url));
/** bcrypt of "secret", cost 10 */
const USERS = 'me:$2b$10$0G0P1tqPj4rDgFzIN6IaUO4TKt0HEFX5V2D8AiWZq9fQG3e81QXOe\n';

export interface Server {
  readonly name: 'strake' | 'docker-registry';
  readonly port: number;
  readonly folder: string;
  /** Seconds of CPU so far, in user and system mode. */
  cpu(): number;
  /** MiB, the most since the last `resetMemory`. */
  peakMemory(): number;
  resetMemory(): void;
  stop(): Promise<void>;
  /** Starts it again; milliseconds until it answers. */
  restart(): Promise<number>;
}

export async function startServer(name: Server['name'], parent: string, users: boolean): Promise<Server> {
  const folder = join(parent, `${name}${users ? '-users' : ''}`);
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const htpasswd = join(folder, 'htpasswd');
  writeFileSync(htpasswd, USERS);
  const words = name === 'strake' ? strake(folder, port, users && htpasswd) : docker(folder, port, users && htpasswd);
  let child = await launch();

  async function launch(): Promise<ChildProcess> {
    const log = openSync(join(folder, 'log'), 'a');
    const [program = '', ...args] = words;
    const started = spawn(program, args, { stdio: ['ignore', log, log] });
    for (const deadline = Date.now() + 30_000; ; await sleep(5)) {
      const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
      if (answer) return started;
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`${name} did not start, see ${folder}/log`);
    }
  }

  const server: Server = {
    name,
    port,
    folder,
    cpu() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    peakMemory: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    resetMemory: () => writeFileSync(`/proc/${child.pid}/clear_refs`, '5'),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
    async restart() {
      const start = performance.now();
      child = await launch();
      return performance.now() - start;
    },
  };
  return server;
}

function strake(folder: string, port: number, htpasswd: string | false): string[] {
  const data = ['--data', join(folder, 'data'), '--grace', '0', '--collect-every', '0'];
  const users = htpasswd === false ? [] : ['--htpasswd', htpasswd];
  return [STRAKE, 'registry', 'serve', '--listen', `127.0.0.1:${port}`, ...data, ...users];
}

function docker(folder: string, port: number, htpasswd: string | false): string[] {
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(htpasswd !== false && { auth: { htpasswd: { realm: 'bench', path: htpasswd } } }),
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config)); // JSON is YAML
  return ['docker-registry', 'serve', join(folder, 'config.yml')];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (!address || typeof address !== 'object') throw new Error('no port');
  return address.port;
}
