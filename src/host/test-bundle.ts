import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectCgroups } from './cgroup.ts';
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, runtimeSpec, type SpecOptions } from './spec.ts';

/** For tests: makes a root file system of busybox alone. */
export function makeBusyboxRoot(root: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'sleep', 'true', 'cat', 'echo', 'id', 'stty', 'seq', 'head', 'dd', 'ls', 'kill', 'mount'])
    symlinkSync('busybox', join(root, 'bin', name));
}

/** For tests: writes a bundle with a busybox root and usual settings. */
export function writeTestBundle(
  bundle: string,
  args: readonly string[],
  changes: { readonly terminal?: boolean; readonly spec?: Partial<SpecOptions> } = {},
): void {
  const root = join(bundle, 'root');
  makeBusyboxRoot(root);
  const spec = runtimeSpec({
    process: {
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      terminal: changes.terminal ?? false,
      ulimits: [],
      noNewPrivileges: false,
      oomScoreAdj: 0,
    },
    root,
    readonlyRoot: false,
    hostname: 'test',
    domainname: undefined,
    namespaces: { network: 'new', pid: 'new', ipc: 'new', uts: 'new', cgroup: 'host' },
    cgroupsPath: `/strake-test/${bundle.split('/').at(-1)}`,
    cgroupMode: detectCgroups().mode,
    resources: {},
    shmSize: 1 << 26,
    mounts: [],
    devices: [],
    deviceRules: [],
    privileged: false,
    capAdd: [],
    capDrop: [],
    seccomp: 'default',
    sysctls: {},
    maskedPaths: DEFAULT_MASKED_PATHS,
    readonlyPaths: DEFAULT_READONLY_PATHS,
    ...changes.spec,
  });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
}
