/** A real dockerd for tests, on roots of its own. */
import assert from 'node:assert/strict';
import { type StdioOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Result, type RunOptions, run, until } from './harness.ts';

export interface Dockerd extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly address: string;
  /** The unmodified `docker` against it, with exit code 0 expected; its stdout without the last newline. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
}

/** Starts dockerd in a new folder below `parent`; with `networks` in a network namespace where it may have its own. */
export async function startDockerd(parent: string, options: { readonly networks?: boolean } = {}): Promise<Dockerd> {
  const folder = join(parent, 'dockerd');
  mkdirSync(folder);
  const address = `unix://${join(folder, 'd.sock')}`;
  const settings = join(folder, 'daemon.json');
  writeFileSync(settings, '{}');
  const log = openSync(join(folder, 'log'), 'a');
  const stdio: StdioOptions = ['ignore', log, log];
  const roots = [
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(folder, 'exec'),
    '--pidfile',
    join(folder, 'pid'),
  ];
  const flags = ['--config-file', settings, ...roots, '-H', address];
  const child = options.networks
    ? spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && exec dockerd "$@"', 'sh', ...flags], { stdio })
    : spawn('dockerd', [...flags, '--iptables=false', '--bridge=none'], { stdio });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  closeSync(log);
  const docker = (args: readonly string[], options?: RunOptions): Promise<Result> =>
    run('docker', ['-H', address, ...args], { ...options, env: { DOCKER_CONFIG: folder, ...options?.env } });
  await until(async () => {
    assert.equal(child.exitCode, null, `dockerd has ended:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`);
    return (await docker(['version'])).code === 0;
  }, 60);
  return {
    address,
    async ok(args, options) {
      const { code, stdout, stderr } = await docker(args, options);
      assert.equal(code, 0, `docker ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`);
      return stdout.replace(/\n$/, '');
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      // What it mounted for its own root and its layers.
      await run('sh', ['-c', `grep -o '${folder}[^ ]*' /proc/self/mounts | sort -r | xargs -r umount`]);
    },
  };
}
