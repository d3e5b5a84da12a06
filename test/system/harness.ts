/**
 * What system tests share: a host of their own (the built one, on a private socket and data root), the commands that
 * drive it, base images, and the proof that nothing stays behind. They run as root on a real kernel; without root or
 * without a program they fail and say what is missing.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../src/lib/error.ts';
import { silentLog } from '../../src/lib/log.ts';
import { verifyTree } from '../../src/snapshot/verify-tree.ts';
import { checkStore } from '../../src/store/check.ts';
import type { LayerRecord } from '../../src/store/layers.ts';
import { openStore } from '../../src/store/open-store.ts';

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

export interface HostSettings {
  /** Where socket, log and data root go (default a new temporary folder, removed at the end). */
  readonly folder?: string;
  readonly dataRoot?: string;
  /** More flags of `strake host`. */
  readonly flags?: readonly string[];
  /** Program and arguments to start the command with: `['unshare', '-m', ...]`. */
  readonly through?: readonly string[];
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
  /** Builds a context with this Dockerfile and these files as `name`; gives what `build` printed. */
  build(name: string, dockerfile: string, files?: Files, flags?: readonly string[]): Promise<string>;
  /** `inspect --format`. */
  inspect(object: string, format: string): Promise<string>;
  /** `run --rm image sh -c command`; its output. */
  sh(image: string, command: string): Promise<string>;
  /** Ends the host with this signal and waits. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts a host again on the same data root. */
  restart(): Promise<void>;
  log(): string;
}

/**
 * Starts the built host on a private socket and data root. Its disposal stops it and fails when it left a mount, a
 * process or a kernel object, or when its store is not sound.
 */
export async function startHost(options: HostSettings = {}): Promise<TestHost> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'strake-test-'));
  const dataRoot = options.dataRoot ?? join(folder, 'data');
  // A socket of this name that only DOCKER_HOST names is one for which the command starts no host of its own.
  const socket = join(folder, 'docker.sock');
  const logFile = join(folder, 'host.log');
  const address = `unix://${socket}`;
  let child = await launch();

  async function launch(): Promise<ChildProcess> {
    const log = openSync(logFile, 'a');
    const words = [...(options.through ?? []), STRAKE, 'host', '-H', address, '--data-root', dataRoot];
    const [program = '', ...args] = [...words, ...(options.flags ?? [])];
    const started = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
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
    strake: (args, runOptions) =>
      run(STRAKE, args, { ...runOptions, env: { STRAKE_HOST: '', DOCKER_HOST: address, ...runOptions?.env } }),
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
    build: (name, dockerfile, files = {}, flags = []) =>
      host.ok(['build', '-t', name, ...flags, makeContext(folder, { Dockerfile: dockerfile, ...files })]),
    inspect: (object, format) => host.ok(['inspect', '--format', format, object]),
    sh: (image, command) => host.ok(['run', '--rm', '--entrypoint', 'sh', image, '-c', command]),
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
      assert.deepEqual(leftovers(folder, dataRoot), [], 'the host left something behind');
      assert.deepEqual(kernelLeftovers(dataRoot), [], 'the host left something in the kernel');
      assert.deepEqual(await storeProblems(dataRoot), [], 'the store is not sound');
      if (!options.folder) rmSync(folder, { recursive: true, force: true });
    },
  };
  return host;
}

/** What `checkStore` and a comparison of every layer with its index find in the store of a host that is stopped. */
export async function storeProblems(dataRoot: string): Promise<string[]> {
  const { signal } = new AbortController();
  await using store = await openStore(dataRoot, { log: silentLog });
  const verifyLayer = async ({ id }: LayerRecord) => {
    const folder = store.layers.folder(id);
    const request = { tree: join(folder, 'diff'), index: join(folder, 'index'), limit: 3 };
    const [difference] = verifyTree(request, { signal });
    if (difference) throw new Failure('data-loss', 'LAYER_DAMAGED', `${difference.path}: ${difference.problem}`);
  };
  const problems: string[] = [];
  for await (const { code, subject, message } of checkStore(store, { signal, verifyLayer }))
    problems.push(`${code} ${subject}: ${message}`);
  return problems;
}

/** Mounts below `folders` and processes whose command line names one of them. */
export function leftovers(...folders: string[]): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => folders.some((folder) => line.split(' ')[4]?.startsWith(`${folder}/`)));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return folders.some((folder) => command.includes(folder)) ? [`process ${pid}: ${command}`] : [];
      } catch {
        return []; // gone meanwhile
      }
    });
  return [...mounts, ...processes];
}

/** Interfaces, packet rules and runtime state of a stopped host. They carry a mark that comes from its data root. */
export function kernelLeftovers(dataRoot: string): string[] {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const found: string[] = [];
  const networks = join(dataRoot, 'network');
  if (existsSync(networks)) {
    const tag = sha256(realpathSync(networks)).slice(0, 8);
    const group = (Number.parseInt(tag, 16) >>> 1) & ~1 || 2; // and the one after it, of interfaces that go
    for (const number of [group, group + 1]) {
      const links = spawnSync('ip', ['-o', 'link', 'show', 'group', String(number)], { encoding: 'utf8' });
      found.push(...links.stdout.split('\n').filter(Boolean));
    }
    for (const program of ['iptables-save', 'ip6tables-save']) {
      const rules = spawnSync(program, { encoding: 'utf8' });
      assert.equal(rules.status, 0, rules.stderr);
      found.push(...rules.stdout.split('\n').filter((line) => line.includes(tag)));
    }
  }
  const run = `/run/strake/${sha256(dataRoot).slice(0, 12)}`;
  if (existsSync(run)) found.push(run);
  return found;
}

/** A TCP port that nobody uses at the moment. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  server.close();
  await once(server, 'close');
  return address.port;
}

/** Waits until `condition` holds; fails after `seconds`. */
export async function until(condition: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `still not so after ${seconds} s: ${condition}`);
    await sleep(20);
  }
}

/** A folder with a file system of its own of so many MiB, and so many files at most, kept in memory. */
export function smallDisk(size: number, files?: number): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'strake-disk-'));
  const limits = `size=${size}m${files === undefined ? '' : `,nr_inodes=${files}`}`;
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', limits, 'tmpfs', path], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  return {
    path,
    [Symbol.dispose]() {
      const ended = spawnSync('umount', [path], { encoding: 'utf8' });
      assert.equal(ended.status, 0, ended.stderr);
      rmdirSync(path);
    },
  };
}

/** Files by name. Values are contents; a name that ends in `/` makes a folder, `-> x` a symlink. */
type Files = Readonly<Record<string, string | Buffer>>;

/** A folder of files for a build. */
export function makeContext(folder: string, files: Files): string {
  const context = mkdtempSync(join(folder, 'context-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(context, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) continue;
    if (typeof content === 'string' && content.startsWith('-> ')) symlinkSync(content.slice(3), path);
    else writeFileSync(path, content, { mode: isProgram(content) ? 0o755 : 0o644 });
  }
  return context;
}

const isProgram = (content: string | Buffer) => /^(?:\x7fELF|#!)/.test(Buffer.from(content).toString('latin1', 0, 4));

/** Two hosts with the very same busybox image. */
export async function startTwoHosts(): Promise<[TestHost, TestHost]> {
  const [host, other] = await Promise.all([startHost(), startHost()]);
  await importBusybox(host);
  const tar = join(host.folder, 'busybox-image.tar');
  await host.ok(['save', '-o', tar, 'busybox']);
  await other.ok(['load', '-i', tar]);
  return [host, other];
}

/** Imports a root of one static busybox with its links as `busybox`. */
export async function importBusybox(host: TestHost): Promise<void> {
  const root = join(mkdtempSync(join(host.folder, 'busybox-')), 'root');
  mkdirSync(root);
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root']) mkdirSync(join(root, name));
  chmodSync(join(root, 'tmp'), 0o1777);
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

/** A program with its libraries, as files of a context below `root`. */
export function withLibraries(program: string, context: string): void {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  for (const file of [program, ...(text.match(/\/\S+/g) ?? [])]) {
    mkdirSync(join(context, 'root', dirname(file)), { recursive: true });
    copyFileSync(file, join(context, 'root', file));
  }
}
