/**
 * What system tests share: a host of their own (the built one, on a private socket and data root), the commands that
 * drive it, base images, and the proof that nothing stays behind. They run as root on a real kernel; without root or
 * without a program they fail and say what is missing.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
export const STRAKE = join(checkout, 'bin/strake');

assert.equal(process.getuid?.(), 0, 'system tests need root: mounts, namespaces, cgroups');

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeout?: number;
}

/** Runs a program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, DOCKER_BUILDKIT: '0', ...options.env },
      stdio: 'pipe',
      timeout: options.timeout ?? 300_000,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      if (signal) reject(new Error(`${file} ${args.join(' ')} was ended by ${signal}\n${stdout}\n${stderr}`));
      else resolve({ code: code ?? -1, stdout, stderr });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

export interface TestHost extends AsyncDisposable {
  readonly folder: string;
  readonly dataRoot: string;
  readonly socket: string;
  readonly process: ChildProcess;
  /** `strake` against this host. */
  strake(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** The unmodified `docker` against this host. */
  docker(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** `strake`, with exit code 0 expected; its stdout without the last newline. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Ends the host with this signal and waits. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts a host again on the same data root. */
  restart(): Promise<void>;
  log(): string;
}

/** Starts the built host on a private socket and data root. `folder`: where (default a new temporary folder). */
export async function startHost(options: { folder?: string; dataRoot?: string } = {}): Promise<TestHost> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'strake-test-'));
  const dataRoot = options.dataRoot ?? join(folder, 'data');
  const socket = join(folder, 'host.sock');
  const logFile = join(folder, 'host.log');
  const address = `unix://${socket}`;
  let child = await launch();

  async function launch(): Promise<ChildProcess> {
    const started = spawn(
      'sh',
      ['-c', `exec "$0" "$@" >>${logFile} 2>&1`, STRAKE, 'host', '-H', address, '--data-root', dataRoot],
      {
        stdio: 'ignore',
      },
    );
    const deadline = Date.now() + 20_000;
    for (;;) {
      const ping = await run('curl', ['-fsS', '--unix-socket', socket, 'http://host/_ping']).catch(() => undefined);
      if (ping?.code === 0) return started;
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(
          `the host did not start (exit ${started.exitCode}):\n${existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''}`,
        );
      await sleep(30);
    }
  }

  const host: TestHost = {
    folder,
    dataRoot,
    socket,
    get process() {
      return child;
    },
    strake: (args, runOptions) => run(STRAKE, ['-H', address, ...args], runOptions),
    docker: (args, runOptions) =>
      run('docker', ['-H', address, ...args], { ...runOptions, env: { DOCKER_CONFIG: folder, ...runOptions?.env } }),
    async ok(args, runOptions) {
      const result = await host.strake(args, runOptions);
      assert.equal(
        result.code,
        0,
        `strake ${args.join(' ')}: exit ${result.code}\n${result.stdout}\n${result.stderr}\n${host.log().slice(-2000)}`,
      );
      return result.stdout.replace(/\n$/, '');
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await ended;
    },
    async restart() {
      child = await launch();
    },
    log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    async [Symbol.asyncDispose]() {
      await host.stop();
      assert.deepEqual(leftovers(folder), [], 'the host left something behind');
      if (!options.folder) rmSync(folder, { recursive: true, force: true });
    },
  };
  return host;
}

/** Mounts and processes that still mention `folder`. */
export function leftovers(folder: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(folder) ? [`process ${pid}: ${command}`] : [];
      } catch {
        return [];
      }
    });
  return [...mounts, ...processes];
}

/** A folder of files for a build. Values are contents; a name that ends in `/` makes a folder, `-> x` a symlink. */
export function makeContext(folder: string, files: Readonly<Record<string, string | Buffer>>): string {
  const context = mkdtempSync(join(folder, 'context-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(context, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) continue;
    if (typeof content === 'string' && content.startsWith('-> ')) symlinkSync(content.slice(3), path);
    else writeFileSync(path, content);
  }
  return context;
}

/** Imports a root of one static busybox with its links as `busybox`. */
export async function importBusybox(host: TestHost): Promise<void> {
  const root = mkdtempSync(join(host.folder, 'busybox-'));
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(root, name), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  const names = spawnSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n');
  const tar = join(host.folder, 'busybox.tar');
  assert.equal((await run('tar', ['-C', root, '-cf', tar, '.'])).code, 0);
  await host.ok(['import', tar, 'busybox']);
}

/** A debootstrapped Debian root as a tar, made once and kept for later runs. */
export function debianTar(): string {
  const kept = '/var/tmp/strake-debian-bookworm.tar';
  if (existsSync(kept)) return kept;
  const work = mkdtempSync(join(tmpdir(), 'debootstrap-'));
  const made = spawnSync('debootstrap', ['--variant=minbase', 'bookworm', join(work, 'root')], { encoding: 'utf8' });
  assert.equal(made.status, 0, `debootstrap failed:\n${made.stdout}\n${made.stderr}`);
  const packed = spawnSync('tar', ['-C', join(work, 'root'), '-cf', `${kept}.part`, '.'], { encoding: 'utf8' });
  assert.equal(packed.status, 0, packed.stderr);
  spawnSync('mv', [`${kept}.part`, kept]);
  rmSync(work, { recursive: true, force: true });
  return kept;
}
