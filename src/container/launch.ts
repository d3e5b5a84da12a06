import { readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { kindInside, makeInside } from '../host/inside-root.ts';
import { unmountInBackground } from '../host/mount.ts';
import type { Attachment } from '../host/network/attachment.ts';
import type { SpecMount } from '../host/spec.ts';
import { Failure } from '../lib/error.ts';
import { argumentsOf } from './config.ts';
import type { Container } from './container.ts';
import { hostnameOf, type LaunchNeeds, specOf } from './container-spec.ts';
import { addressesOf, fileMounts, hostsFile, writeContainerFiles } from './files.ts';
import { boundMounts, type HostMounts } from './host-mounts.ts';
import { hasInit, initMount } from './init.ts';
import { type MadeTargets, type MountTarget, makeMountTargets, removeMountTargets } from './mount-targets.ts';
import type { PlannedMount } from './mounts.ts';
import { fillVolumes } from './prepare-mounts.ts';
import type { StartedProcess } from './process-streams.ts';
import { checkPropagation } from './propagation.ts';
import { closeSharedMemory, openSharedMemory } from './shared-memory.ts';
import { startProcess } from './start-process.ts';

export interface Launched {
  readonly process: StartedProcess;
  readonly targets: MadeTargets;
}

/** The file system of a container, mounted and ready for its program. */
export interface PreparedRoot {
  /** Absolute. */
  readonly path: string;
  readonly targets: MadeTargets;
  /** What is mounted over single files of the image. */
  readonly files: readonly SpecMount[];
}

/** Mounts a container's file system and makes in it what its mounts need. When that fails, everything is as before. */
export async function prepareRoot(container: Container, hostMounts: HostMounts): Promise<PreparedRoot> {
  const { hostConfig } = container.record;
  const mounts = boundMounts(container.record.mounts);
  const { snapshot } = container;
  checkPropagation(mounts);
  await hostMounts.open(container);
  try {
    const path = snapshot.mount({ volatile: container.isThrownAway });
    openSharedMemory(container);
    await fillVolumes(mounts, path);
    makeWorkingFolder(container, path);
    const taken = new Set(mounts.map((mount) => mount.destination));
    const files = [
      ...fileMounts(container.folder, taken, hostConfig.ReadonlyRootfs ?? false),
      ...(hasInit(container) ? [initMount()] : []),
    ];
    return { path, files, targets: makeMountTargets(path, snapshot.upper, mountTargets(mounts, files)) };
  } catch (error) {
    await leaveRoot(container, { made: [], raised: [] }, hostMounts);
    throw error;
  }
}

/** Starts the program of a container: writes its files and its bundle, and runs it. */
export async function launch(
  container: Container,
  root: PreparedRoot,
  attachment: Attachment,
  needs: LaunchNeeds,
  options: { readonly signal: AbortSignal },
): Promise<Launched> {
  const { config } = container.record;
  writeFiles(container, attachment);
  const keeper = container.recorded ? await needs.keepers.ready(options) : undefined;
  const process = await startProcess({
    start: (start) => needs.runtime.run(start),
    id: container.id,
    program: argumentsOf(config)[0] ?? '',
    document: { name: 'config.json', content: specOf(container, root.path, attachment, root.files, needs) },
    tty: config.Tty ?? false,
    stdin: config.OpenStdin ?? false,
    runFolder: needs.runFolder,
    kept: keeper && { keeper, key: container.id },
    signal: options.signal,
  });
  return { process, targets: root.targets };
}

/** Ends the use of the mounted root by the run. */
export async function leaveRoot(container: Container, targets: MadeTargets, hostMounts: HostMounts): Promise<void> {
  const { snapshot } = container;
  closeSharedMemory(container);
  if (container.rootUses === 0) {
    await unmountInBackground(snapshot.merged);
    snapshot.unmount();
  }
  removeMountTargets(container.snapshot.upper, targets);
  await hostMounts.close(container);
}

const DEFAULT_TARGETS: readonly MountTarget[] = [
  { destination: '/dev', kind: 'folder' },
  { destination: '/proc', kind: 'folder' },
  { destination: '/sys', kind: 'folder' },
  { destination: '/.dockerenv', kind: 'file' }, // programs look for it to learn that they run in a container
];

function mountTargets(mounts: readonly PlannedMount[], files: readonly SpecMount[]): MountTarget[] {
  return [
    ...DEFAULT_TARGETS,
    ...files.map(({ destination }): MountTarget => ({ destination, kind: 'file' })),
    ...mounts.map((mount): MountTarget => {
      const isFile = mount.type !== 'tmpfs' && !sourceIsFolder(mount.source);
      return { destination: mount.destination, kind: isFile ? 'file' : 'folder' };
    }),
  ];
}

function sourceIsFolder(source: string): boolean {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat) return stat.isDirectory();
  throw new Failure(
    'invalid',
    'MOUNT_SOURCE_MISSING',
    `invalid mount config for type "bind": bind source path does not exist: ${source}`,
  );
}

function writeFiles(container: Container, attachment: Attachment): void {
  const { config, hostConfig } = container.record;
  const hostname = hostnameOf(container);
  const { settings, namespacePath, resolvConf, linked } = attachment;
  const addresses = addressesOf(attachment);
  const gateways = [settings, ...Object.values(settings.Networks)].map(({ Gateway }) => Gateway);
  const gateway = gateways.find(Boolean) ?? '127.0.0.1';
  const extraHosts = hostConfig.ExtraHosts ?? [];
  const domainname = config.Domainname ?? '';
  const own = hostsFile({ addresses, hostname, domainname, extraHosts, gateway, linked });
  const hosts = namespacePath === undefined && extraHosts.length === 0 ? readFileSync('/etc/hosts', 'utf8') : own;
  writeContainerFiles(container.folder, { hostname: `${hostname}\n`, hosts, resolvConf });
}

/** Docker makes a working directory that the image lacks. One inside a mount is the runtime's to make. */
function makeWorkingFolder(container: Container, root: string): void {
  const { config, mounts } = container.record;
  const path = posix.resolve(config.WorkingDir || '/');
  if (mounts.some(({ destination }) => `${path}/`.startsWith(`${destination}/`))) return;
  if (kindInside(root, path) === 'other')
    throw new Failure('invalid', 'WORKDIR_INVALID', `Cannot mkdir: ${config.WorkingDir} is not a directory`);
  makeInside(root, path, 'folder');
}
