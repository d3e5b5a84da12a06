import type { EndedRun, RunExecutor, RunMount, RunRequest } from '../../build/needs.ts';
import type { Containers } from '../../container/containers.ts';
import { makeInside } from '../../host/inside-root.ts';
import { cancelled } from '../../lib/error.ts';
import type { HostConfig, MountRequest } from '../../wire/container.ts';
import type { EventLog } from '../event-log.ts';

/** How long the removal of a step's container may take after its build was cancelled. */
const CLEANUP_MS = 30_000;

/** Runs the RUN steps of builds as containers that only this host process knows, unless they are kept. */
export function runExecutor(containers: Containers, events: EventLog): RunExecutor {
  return {
    async run(request: RunRequest): Promise<EndedRun> {
      const { signal } = request;
      const { id } = await containers.create({
        name: undefined,
        image: { id: request.image, config: {}, layers: request.layers, diffIds: undefined },
        config: {
          Image: request.image ?? '',
          Cmd: [...request.argv],
          Env: [...request.env],
          User: request.user,
          WorkingDir: request.workdir,
          Hostname: request.hostname ?? '',
          AttachStdout: true,
          AttachStderr: true,
        },
        hostConfig: hostConfigOf(request),
        endpoints: {},
        secretEnv: request.secretEnv,
      });
      const remove = () =>
        containers.remove(id, { force: true, volumes: true, signal: AbortSignal.timeout(CLEANUP_MS) });
      try {
        makeFolders(containers, id, request.folders);
        request.onStart(id);
        containers.addSink(id, (name, chunk) => request.onOutput(name, chunk));
        const { exit } = containers.wait(id, 'next-exit', { signal });
        await containers.start(id, { signal });
        const exitCode = await exit;
        if (signal.aborted) throw cancelled(signal);
        return {
          exitCode,
          container: id,
          async commit({ keep, newest }) {
            const container = containers.find(id);
            const layer = container.snapshot.commit(signal, { newest });
            events.emit({ type: 'container', action: 'commit', id, attributes: { name: container.name, comment: '' } });
            if (!keep) await remove();
            else containers.keep(id, [...(await request.diffIds()), (await layer.sealed).diffId]);
            return layer;
          },
          remove,
          keep: async () => containers.keep(id, await request.diffIds()),
        };
      } catch (error) {
        await remove();
        throw signal.aborted ? cancelled(signal) : error;
      }
    },
  };
}

/** A mount as containers are asked for it. */
export function mountRequest(mount: RunMount): MountRequest {
  const common = { Target: mount.target, ReadOnly: mount.readOnly };
  if (mount.kind === 'bind') return { ...common, Type: 'bind', Source: mount.source };
  const size = mount.size === undefined ? {} : { SizeBytes: mount.size };
  // Builds run what they make, also in a folder for what is temporary.
  return { ...common, Type: 'tmpfs', TmpfsOptions: { ...size, Options: [['exec'], ['dev']] } };
}

function makeFolders(containers: Containers, id: string, folders: readonly string[]): void {
  if (folders.length === 0) return;
  using root = containers.openRoot(id);
  for (const folder of folders) makeInside(root.path, folder, 'folder');
}

function hostConfigOf({ resources, network, extraHosts, mounts, privileged }: RunRequest): HostConfig {
  return {
    Privileged: privileged,
    Mounts: mounts.map(mountRequest),
    NetworkMode: network,
    ExtraHosts: [...extraHosts],
    Memory: resources.memory,
    MemorySwap: resources.memorySwap,
    CpuShares: resources.cpuShares,
    CpuPeriod: resources.cpuPeriod,
    CpuQuota: resources.cpuQuota,
    CpusetCpus: resources.cpusetCpus,
    CpusetMems: resources.cpusetMems,
    ShmSize: resources.shmSize,
    Ulimits: [...resources.ulimits],
    CgroupParent: resources.cgroupParent,
  };
}
