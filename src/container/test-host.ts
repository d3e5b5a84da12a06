/** For tests: real containers on a store of their own, with busybox as their only image. Needs root and a runtime. */
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Cgroups, detectCgroups, removeCgroup } from '../host/cgroup.ts';
import { findRuntime } from '../host/find-runtime.ts';
import { Keepers } from '../host/keeper/keeper-client.ts';
import { type NetworkTaskRunner, networkTasks } from '../host/network/network-tasks.ts';
import { Networks } from '../host/network/networks.ts';
import { becomeReaper } from '../host/reaper.ts';
import { Runtime } from '../host/runtime.ts';
import { makeBusyboxRoot } from '../host/test-bundle.ts';
import { silentLog } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { WorkerPool } from '../lib/worker-pool.ts';
import type { RunConfig } from '../oci/image-config.ts';
import { Snapshots } from '../snapshot/snapshots.ts';
import { openStore } from '../store/open-store.ts';
import { testDiffId } from '../store/test-store.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import type { ContainerEvent } from './container-events.ts';
import type { Containers } from './containers.ts';
import { HostMounts } from './host-mounts.ts';
import type { NewContainer } from './new-container.ts';
import { openContainers } from './open-containers.ts';

export const signal: AbortSignal = new AbortController().signal;

export interface TestHost extends AsyncDisposable {
  readonly containers: Containers;
  readonly events: ContainerEvent[];
  readonly root: string;
  /** Holds a folder for each start of a process that is under way. */
  readonly runFolder: string;
  readonly cgroups: Cgroups;
  /** What `create` takes, for the busybox image. */
  request(config: ContainerConfig, hostConfig?: HostConfig, image?: RunConfig): NewContainer;
  /** Creates and starts; all output as text by stream, and the exit code. */
  run(
    config: ContainerConfig,
    hostConfig?: HostConfig,
    image?: RunConfig,
  ): Promise<{ id: string; exitCode: number; output: string }>;
}

/** Opens a host; `root` is a data root to open again, else a new one is made and removed at the end. */
export async function openTestHost(options: { readonly root?: string } = {}): Promise<TestHost> {
  await using scope = new Scope();
  const root = options.root ?? scope.use(makeScratchFolder(realpathSync(tmpdir()), 'containers')).path;
  const store = scope.use(await openStore(join(root, 'data'), { log: silentLog }));
  const diffId = testDiffId('busybox');
  if (!store.layers.byDiffId(diffId)) {
    const { id, folder } = store.layers.allot();
    makeBusyboxRoot(join(folder, 'diff'));
    writeFileSync(join(folder, 'diff/etc/passwd'), 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh\n');
    writeFileSync(join(folder, 'diff/etc/group'), 'root:x:0:\nuser:x:1001:\nextra:x:1002:user\n');
    mkdirSync(join(folder, 'diff/data'));
    writeFileSync(join(folder, 'diff/data/seed'), 'seed\n');
    store.layers.seal(id, { diffId, size: 1, tarSize: 1, entries: 1 });
  }
  const cgroups = detectCgroups();
  const pool = scope.use(new WorkerPool(new URL('file:///none'), 1));
  const snapshots = new Snapshots({
    layers: store.layers,
    active: join(root, 'data/active'),
    pool,
    trash: store.trash,
  });
  const run = join('/run', `strake-test-${basename(root)}`); // in memory, as a host has it
  scope.defer(() => rmSync(run, { recursive: true, force: true }));
  const runtime = new Runtime(() => findRuntime(join(run, 'trial'), { signal }), join(run, 'state'), cgroups);
  const tasks: NetworkTaskRunner = {
    // The table is keyed by the task's name, and its callers state the task's own input and output.
    run: async (task, input) => (networkTasks as Record<string, (input: unknown) => unknown>)[task]?.(input) as never,
  };
  const networks = scope.use(
    new Networks({ stateFolder: join(root, 'data/network'), tasks, reserve: store.reserve, log: silentLog }),
  );
  scope.use(becomeReaper());
  scope.defer(async () => void (await removeCgroup(cgroups, '/strake-test')));
  const events: ContainerEvent[] = [];
  const keepers = scope.use(await Keepers.open(join(run, 'keeper'), undefined));
  const runFolder = join(run, 's');
  const hostMounts = new HostMounts({ store, mounters: pool });
  const needs = { store, snapshots, runtime, cgroups, networks, keepers, hostMounts, log: silentLog, runFolder };
  const containers = scope.use(await openContainers({ ...needs, emit: (event) => events.push(event) }, { signal }));
  const layer = store.layers.byDiffId(diffId);
  const request: TestHost['request'] = (config, hostConfig = {}, image = {}) => ({
    name: undefined,
    image: { id: undefined, config: image, layers: layer ? [layer.id] : [], diffIds: [diffId] },
    config: { Image: 'busybox', ...config },
    hostConfig: { NetworkMode: 'none', CgroupParent: 'strake-test', ...hostConfig },
    endpoints: {},
  });
  const owned = scope.move();
  return {
    containers,
    events,
    root,
    runFolder,
    cgroups,
    request,
    run: async (config, hostConfig, image) => {
      const { id } = await containers.create(request({ Tty: false, ...config }, hostConfig, image));
      const query = { stdin: false, stdout: true, stderr: true, logs: false, stream: true };
      const { output, tty } = containers.attach(id, query, { signal });
      const text = (async () => unframed(await output.toArray(), tty))();
      const { exit } = containers.wait(id, 'next-exit', { signal });
      await containers.start(id, { signal });
      return { id, exitCode: await exit, output: await text };
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** The text of a multiplexed stream, both outputs together. */
export function unframed(chunks: readonly Buffer[], tty = false): string {
  const bytes = Buffer.concat(chunks);
  if (tty) return bytes.toString();
  const text: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    text.push(bytes.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(text).toString();
}
