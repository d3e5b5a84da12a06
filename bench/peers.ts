/** The tools that are measured: each imports a base, builds and runs through its own public command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Peer {
  readonly name: string;
  /** Makes a base image of a tar. */
  importBase(tar: string, image: string): void;
  /** Argument vector of a build, and its environment. */
  build(context: string, tag: string): Invocation;
  /** The same by Docker's own client with its side of BuildKit's protocol; undefined where the tool is not measured. */
  dockerBuild(context: string, tag: string): Invocation | undefined;
  /** Archives: `import`, `save`, `load`; undefined where the tool is not measured. */
  readonly archives: ArchiveCommands | undefined;
  /** `run --rm image argv`; undefined where the tool cannot. */
  run(image: string, argv: readonly string[]): Invocation | undefined;
  /** A command in Docker's words; undefined where the tool is not measured. */
  command(args: readonly string[]): Invocation | undefined;
  /** The same by Docker's own client. */
  dockerCommand(args: readonly string[]): Invocation | undefined;
  /** What it holds of the machine now. */
  footprint(): Footprint;
  /** Highest resident memory of the serving process since `resetMemory`, in MiB; undefined when there is none. */
  peakMemory(): number | undefined;
  resetMemory(): void;
  stop(): Promise<void>;
}

/** Counts of what containers leave when they are not cleared up. */
export interface Footprint {
  readonly processes: number;
  readonly mounts: number;
  /** Network interfaces of the machine. */
  readonly interfaces: number;
  /** Below its data root. */
  readonly files: number;
}

export interface ArchiveCommands {
  importTar(tar: string, image: string): Invocation;
  save(image: string, file: string): Invocation;
  load(file: string): Invocation;
  push(image: string): Invocation;
  pull(image: string): Invocation;
  /** Untimed. */
  remove(image: string): void;
}

export interface Invocation {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const DOCKER = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';
const STRAKE = fileURLToPath(new URL('../bin/strake', import.meta.url));

export async function startStrake(folder: string): Promise<Peer> {
  const address = `unix://${join(folder, 'strake.sock')}`;
  const env = { STRAKE_HOST: address };
  const host = spawn(STRAKE, ['host', '-H', address, '--data-root', join(folder, 'strake')], { stdio: 'ignore' });
  await until(() => spawnSync(STRAKE, ['version'], { env: { ...process.env, ...env } }).status === 0, 'strake host');
  return {
    name: 'strake',
    importBase: (tar, image) => must(STRAKE, ['import', tar, image], env),
    build: (context, tag) => ({ file: STRAKE, args: ['build', '-q', '-t', tag, context], env }),
    dockerBuild: (context, tag) => dockerBuild(context, tag, { DOCKER_HOST: address, DOCKER_CONFIG: folder }, '1'),
    archives: archiveCommands(STRAKE, env),
    run: (image, argv) => ({ file: STRAKE, args: ['run', '--rm', image, ...argv], env }),
    command: (args) => ({ file: STRAKE, args, env }),
    dockerCommand: (args) => ({ file: DOCKER, args, env: { DOCKER_HOST: address, DOCKER_CONFIG: folder } }),
    footprint: () => footprintOf(host.pid, join(folder, 'strake')),
    peakMemory: () => peakOf(host.pid),
    resetMemory: () => resetPeak(host.pid),
    stop: () => end(host),
  };
}

/** A dockerd of our own; its classic builder and its BuildKit are two peers on one daemon. */
export async function startDocker(folder: string): Promise<Peer[]> {
  const root = join(folder, 'docker');
  mkdirSync(root);
  const address = `unix://${join(root, 'd.sock')}`;
  const config = join(root, 'daemon.json');
  writeFileSync(config, '{}');
  const daemon = spawn(
    '/usr/sbin/dockerd',
    [
      '--config-file',
      config,
      '--data-root',
      join(root, 'data'),
      '--exec-root',
      join(root, 'exec'),
      '-H',
      address,
      '--pidfile',
      join(root, 'pid'),
      '--bip',
      '172.31.250.1/24',
    ],
    { stdio: 'ignore' },
  );
  const base = { DOCKER_HOST: address, DOCKER_CONFIG: root };
  await until(() => spawnSync(DOCKER, ['version'], { env: { ...process.env, ...base } }).status === 0, 'dockerd');
  const peer = (name: string, buildkit: string, stop: () => Promise<void>): Peer => ({
    name,
    importBase: (tar, image) => must(DOCKER, ['import', tar, image], base),
    build: (context, tag) => dockerBuild(context, tag, base, buildkit),
    dockerBuild: (context, tag) => (buildkit === '1' ? dockerBuild(context, tag, base, buildkit) : undefined),
    archives: buildkit === '1' ? undefined : archiveCommands(DOCKER, base), // one daemon, measured once
    run: (image, argv) => ({ file: DOCKER, args: ['run', '--rm', image, ...argv], env: base }),
    command: (args) => (buildkit === '1' ? undefined : { file: DOCKER, args, env: base }),
    dockerCommand: (args) => (buildkit === '1' ? undefined : { file: DOCKER, args, env: base }),
    footprint: () => footprintOf(daemon.pid, root),
    peakMemory: () => peakOf(daemon.pid),
    resetMemory: () => resetPeak(daemon.pid),
    stop,
  });
  return [peer('buildkit', '1', async () => {}), peer('docker', '0', () => end(daemon))];
}

export function startBuildah(folder: string): Peer {
  const storage = [
    '--root',
    join(folder, 'buildah'),
    '--runroot',
    join(folder, 'buildah-run'),
    '--storage-driver',
    'overlay',
  ];
  return {
    name: 'buildah',
    importBase(tar, image) {
      const context = join(folder, `buildah-base-${image}`);
      mkdirSync(context);
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nADD base.tar /\n');
      must('cp', [tar, join(context, 'base.tar')], {});
      must('buildah', [...storage, 'build', '-q', '-t', image, context], {});
    },
    build: (context, tag) => ({
      file: 'buildah',
      args: [...storage, 'build', '-q', '--layers', '--isolation', 'oci', '--runtime', 'runc', '-t', tag, context],
      env: {},
    }),
    dockerBuild: () => undefined,
    archives: undefined,
    run: () => undefined,
    command: () => undefined,
    dockerCommand: () => undefined,
    footprint: () => ({ processes: 0, mounts: 0, interfaces: 0, files: 0 }),
    peakMemory: () => undefined,
    resetMemory: () => {},
    stop: async () => {},
  };
}

function dockerBuild(
  context: string,
  tag: string,
  env: Readonly<Record<string, string>>,
  buildkit: string,
): Invocation {
  return { file: DOCKER, args: ['build', '-q', '-t', tag, context], env: { ...env, DOCKER_BUILDKIT: buildkit } };
}

function archiveCommands(file: string, env: Readonly<Record<string, string>>): ArchiveCommands {
  return {
    importTar: (tar, image) => ({ file, args: ['import', tar, image], env }),
    save: (image, archive) => ({ file, args: ['save', '-o', archive, image], env }),
    load: (archive) => ({ file, args: ['load', '-q', '-i', archive], env }),
    push: (image) => ({ file, args: ['push', '-q', image], env }),
    pull: (image) => ({ file, args: ['pull', '-q', image], env }),
    remove: (image) => must(file, ['rmi', '-f', image], env),
  };
}

/** Runs a command to its end, untimed. */
export function complete({ file, args, env }: Invocation): void {
  must(file, args, env);
}

function must(file: string, args: readonly string[], env: Readonly<Record<string, string>>): void {
  const result = spawnSync(file, args, { env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')} failed:\n${result.stdout}\n${result.stderr}`);
}

async function until(ready: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (ready()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not start`);
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function footprintOf(pid: number | undefined, folder: string): Footprint {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return {
    processes: withChildren(pid).length,
    mounts: mounts.filter((line) => line.split(' ')[1]?.startsWith(`${folder}/`)).length,
    interfaces: readdirSync('/sys/class/net').length,
    files: Number(spawnSync('sh', ['-c', `find '${folder}' -xdev | wc -l`], { encoding: 'utf8' }).stdout),
  };
}

function resetPeak(pid: number | undefined): void {
  for (const one of withChildren(pid)) {
    try {
      writeFileSync(`/proc/${one}/clear_refs`, '5');
    } catch {
      // the process has ended
    }
  }
}

/** Sum over the process and its descendants. */
function peakOf(pid: number | undefined): number {
  let kib = 0;
  for (const one of withChildren(pid)) {
    try {
      kib += Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      // the process has ended
    }
  }
  return kib / 1024;
}

function withChildren(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // the process has ended
    }
  }
  const found = [pid];
  for (const one of found) found.push(...(children.get(one) ?? []));
  return found;
}
