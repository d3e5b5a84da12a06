import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerCapabilities, hostCapabilities } from './capabilities.ts';
import { deviceNumber } from './file-system-calls.ts';
import { defaultSeccomp } from './seccomp.ts';
import { resourceSpec, runtimeSpec, type SpecOptions } from './spec.ts';

const OPTIONS: SpecOptions = {
  process: {
    args: ['x'],
    env: [],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] },
    terminal: false,
    ulimits: [{ name: 'nofile', soft: 10, hard: 20 }],
    noNewPrivileges: false,
    oomScoreAdj: 0,
  },
  root: '/root',
  readonlyRoot: false,
  hostname: 'h',
  domainname: undefined,
  namespaces: { network: { path: '/net' }, pid: 'host', ipc: 'new', uts: 'new', cgroup: 'host' },
  cgroupsPath: '/strake/x',
  cgroupMode: 'v2',
  resources: { memory: 1000, pids: 5 },
  shmSize: 1 << 20,
  mounts: [
    { destination: '/dev/shm/deep', type: 'tmpfs', source: 'tmpfs', options: [] },
    { destination: '/dev/shm', type: 'bind', source: '/mine', options: ['rbind'] },
  ],
  devices: [
    { node: { path: '/dev/x', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 }, access: 'rw' },
  ],
  deviceRules: [],
  privileged: false,
  capAdd: ['NET_ADMIN'],
  capDrop: ['mknod'],
  seccomp: 'default',
  sysctls: { 'net.ipv4.ip_forward': '1' },
  maskedPaths: ['/proc/kcore'],
  readonlyPaths: ['/proc/sys'],
};

/** The document as the runtime reads it. */
function specOf(changes: Partial<SpecOptions> = {}) {
  return JSON.parse(JSON.stringify(runtimeSpec({ ...OPTIONS, ...changes })));
}

test('a container of its own', () => {
  const { process, linux, mounts } = specOf();
  assert.ok(process.capabilities.effective.includes('CAP_NET_ADMIN'));
  assert.ok(!process.capabilities.bounding.includes('CAP_MKNOD'));
  assert.equal(process.capabilities.ambient, undefined);
  assert.deepEqual(process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }]);
  assert.deepEqual(
    linux.namespaces.map((namespace: { type: string; path?: string }) => [namespace.type, namespace.path ?? '']),
    [
      ['mount', ''],
      ['network', '/net'],
      ['ipc', ''],
      ['uts', ''],
    ],
  );
  assert.deepEqual(linux.resources, {
    memory: { limit: 1000 },
    cpu: {},
    pids: { limit: 5 },
    devices: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
    ],
  });
  assert.deepEqual(linux.maskedPaths, ['/proc/kcore']);
  const places = mounts.map((mount: { destination: string }) => mount.destination);
  assert.deepEqual(places.slice(-2), ['/sys/fs/cgroup', '/dev/shm/deep']);
  assert.deepEqual(mounts.filter((mount: { destination: string }) => mount.destination === '/dev/shm').length, 1);
  assert.equal(mounts.find((mount: { destination: string }) => mount.destination === '/dev/shm').source, '/mine');
});

test('a privileged container', () => {
  const { process, linux, mounts } = specOf({ privileged: true });
  assert.deepEqual(process.capabilities.bounding, hostCapabilities());
  for (const key of ['seccomp', 'maskedPaths', 'readonlyPaths']) assert.equal(linux[key], undefined, key);
  assert.deepEqual(linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.ok(linux.devices.some((device: { path: string }) => device.path === '/dev/null'));
  assert.ok(!mounts.some((mount: { destination: string; options: string[] }) => mount.options.includes('ro')));
});

test('without cgroups nothing is limited', () => {
  const { linux, mounts } = specOf({ cgroupMode: 'none' });
  assert.deepEqual([linux.resources, linux.cgroupsPath], [undefined, undefined]);
  assert.ok(!mounts.some((mount: { type: string }) => mount.type === 'cgroup'));
});

test('an update holds only what changes', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(resourceSpec({ cpuShares: 5 }))), { memory: {}, cpu: { shares: 5 } });
});

for (const [name, options, present, absent] of [
  ['default', {}, ['CAP_CHOWN', 'CAP_AUDIT_WRITE'], ['CAP_SYS_ADMIN']],
  ['add', { add: ['sys_time', 'CAP_BPF'] }, ['CAP_SYS_TIME', 'CAP_BPF', 'CAP_KILL'], ['CAP_SYS_ADMIN']],
  ['drop all, add one', { drop: ['ALL'], add: ['KILL'] }, ['CAP_KILL'], ['CAP_CHOWN']],
  ['add all, drop one', { add: ['all'], drop: ['SYS_ADMIN'] }, ['CAP_NET_ADMIN'], ['CAP_SYS_ADMIN']],
] as const)
  test(`capabilities: ${name}`, { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
    const found = containerCapabilities(options);
    for (const one of present) assert.ok(found.includes(one), one);
    for (const one of absent) assert.ok(!found.includes(one), one);
    assert.equal(new Set(found).size, found.length);
  });

test('capabilities: unknown', () => {
  assert.throws(() => containerCapabilities({ add: ['NOPE'] }), {
    kind: 'invalid',
    message: 'invalid CapAdd: unknown capability: "CAP_NOPE"',
  });
});

test('the seccomp filter follows the capabilities', () => {
  const allowed = (capabilities: string[], architecture = 'x64') =>
    new Set(
      defaultSeccomp(capabilities, architecture).syscalls.flatMap((rule) =>
        rule.action === 'SCMP_ACT_ALLOW' && !rule.args ? rule.names : [],
      ),
    );
  const none = allowed([]);
  for (const name of ['openat2', 'statx', 'clone3', 'mount', 'bpf', 'chroot', 'reboot', 'io_uring_setup', 'keyctl'])
    assert.equal(none.has(name), ['openat2', 'statx'].includes(name), name);
  assert.ok(allowed(['CAP_SYS_ADMIN']).has('mount') && allowed(['CAP_SYS_ADMIN']).has('clone3'));
  assert.ok(allowed(['CAP_SYS_CHROOT']).has('chroot'));
  assert.ok(allowed([], 'arm64').has('set_tls') && !none.has('set_tls'));
  const clone = defaultSeccomp([]).syscalls.find(({ names }) => names[0] === 'clone');
  assert.deepEqual(clone?.args, [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
});

test('device numbers as mknod takes them', () => {
  assert.equal(deviceNumber(1, 3), 0x103);
  assert.equal(deviceNumber(259, 70000), ((70000 & 0xfff00) << 12) | (259 << 8) | (70000 & 0xff));
});
