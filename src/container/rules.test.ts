import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectCgroups } from '../host/cgroup.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { signalNumber } from '../lib/signal-number.ts';
import type { RunConfig } from '../oci/image-config.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import { argumentsOf, mergeConfig } from './config.ts';
import { containerEnvironment } from './environment.ts';
import { hostsFile } from './files.ts';
import { humanDuration, statusText } from './inspect.ts';
import { checkName, randomName } from './names.ts';
import { normaliseHostConfig, resourcesOf } from './options.ts';
import type { ContainerRecord } from './record.ts';
import { restartDelay, startsWithHost } from './restart-policy.ts';
import { securityOf } from './security.ts';
import { resolveUser } from './user.ts';

const NONE = 'no command specified';
const SHELL = ['/bin/sh', '-c', 'e'];
const commands: [string, RunConfig, ContainerConfig, string[] | typeof NONE][] = [
  ['nothing', {}, {}, NONE],
  ['image command', { Cmd: ['c'] }, {}, ['c']],
  ['own command', { Cmd: ['c'] }, { Cmd: ['x'] }, ['x']],
  ['image entrypoint', { Entrypoint: ['e'] }, {}, ['e']],
  ['image entrypoint and command', { Entrypoint: ['e'], Cmd: ['c'] }, {}, ['e', 'c']],
  ['command becomes arguments', { Entrypoint: ['e'], Cmd: ['c'] }, { Cmd: ['x', 'y'] }, ['e', 'x', 'y']],
  ['shell form of both', { Entrypoint: SHELL, Cmd: ['/bin/sh', '-c', 'c'] }, {}, [...SHELL, '/bin/sh', '-c', 'c']],
  ['own entrypoint drops the command', { Entrypoint: ['e'], Cmd: ['c'] }, { Entrypoint: ['x'] }, ['x']],
  ['entrypoint reset', { Entrypoint: ['e'], Cmd: ['c'] }, { Entrypoint: [''], Cmd: ['x'] }, ['x']],
  ['entrypoint reset, no command', { Entrypoint: ['e'], Cmd: ['c'] }, { Entrypoint: [''] }, NONE],
];
for (const [name, image, asked, expected] of commands)
  test(`command: ${name}`, () => {
    const compose = () => argumentsOf(mergeConfig(image, asked));
    if (expected === NONE) assert.throws(compose, { kind: 'invalid', message: NONE });
    else assert.deepEqual(compose(), expected);
  });

test('the config of an image lies below what was asked for', () => {
  const merged = mergeConfig(
    {
      Cmd: ['c'],
      Env: ['A=image', 'B=image'],
      Labels: { a: '1', b: '1' },
      ExposedPorts: { '80/tcp': {} },
      User: 'u',
      Healthcheck: { Test: ['CMD', 'x'], Interval: 5 },
    },
    { Env: ['A=own'], Labels: { a: '2' }, ExposedPorts: { '81/tcp': {} }, Healthcheck: { Timeout: 7 } },
  );
  assert.deepEqual(merged.Env, ['A=own', 'B=image']);
  assert.equal(mergeConfig({}, { Cmd: ['x'] }).Env, null);
  assert.deepEqual(merged.Labels, { a: '2', b: '1' });
  assert.deepEqual(Object.keys(merged.ExposedPorts ?? {}), ['80/tcp', '81/tcp']);
  assert.deepEqual(merged.Healthcheck, { Test: ['CMD', 'x'], Interval: 5, Timeout: 7 });
  assert.equal(merged.User, 'u');
  assert.equal(merged.Volumes, null);
});

test('environment: defaults are replaced, HOME comes last', () => {
  const env = containerEnvironment({
    linkEnv: ['DB_NAME=/web/db', 'DB_PORT=x'],
    env: ['PATH=/p', 'A=', 'A=2', 'bad', 'DB_PORT=mine'],
    hostname: 'h',
    home: '/root',
    tty: true,
  });
  const expected = ['PATH=/p', 'HOSTNAME=h', 'TERM=xterm', 'DB_NAME=/web/db', 'DB_PORT=mine', 'A=2', 'HOME=/root'];
  assert.deepEqual(env, expected);
});

const PASSWD = '# comment\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n7:x:70:71::/seven:\n';
const GROUP = 'root:x:0:\nweb:x:34:\nlog:x:4:root,web\n';
const users: [string, string, [number, number, number[], string] | RegExp][] = [
  ['empty is root', '', [0, 0, [0, 4], '/root']],
  ['name', 'web', [33, 34, [34, 4], '/var/www']],
  ['number with an entry', '33', [33, 34, [34, 4], '/var/www']],
  ['number without', '1000', [1000, 0, [0], '/']],
  ['a name made of digits goes first', '7', [70, 71, [71], '/seven']],
  ['name and group', 'web:log', [33, 4, [4], '/var/www']],
  ['numbers', '5:6', [5, 6, [6], '/']],
  ['unknown name', 'nobody', /^unable to find user nobody: no matching entries in passwd file$/],
  ['unknown group', 'web:none', /^unable to find group none: no matching entries in group file$/],
  ['below zero', '-1', /^uids and gids must be in range 0-2147483647/],
  ['too large', '4294967295', /^uids and gids must be in range 0-2147483647/],
];
for (const [name, user, expected] of users)
  test(`user: ${name}`, async () => {
    await using scratch = makeScratchFolder(tmpdir(), 'user');
    mkdirSync(join(scratch.path, 'etc'));
    writeFileSync(join(scratch.path, 'etc/passwd'), PASSWD);
    writeFileSync(join(scratch.path, 'etc/group'), GROUP);
    if (expected instanceof RegExp) return assert.throws(() => resolveUser(scratch.path, user), { message: expected });
    const [uid, gid, additionalGids, home] = expected;
    assert.deepEqual(resolveUser(scratch.path, user), { uid, gid, additionalGids, home });
  });

const cgroups = { ...detectCgroups(), swap: true };
const hostConfigs: [string, HostConfig, Partial<HostConfig> | string][] = [
  [
    'defaults',
    {},
    { NetworkMode: 'bridge', ShmSize: 67108864, IpcMode: 'private', Memory: 0, MemorySwap: 0, PidsLimit: null },
  ],
  ['no label where it sees the machine', { PidMode: 'host' }, { SecurityOpt: ['label=disable'] }],
  ['labels as asked for', { Privileged: true, SecurityOpt: ['label=user:x'] }, { SecurityOpt: ['label=user:x'] }],
  ['swap as much as memory', { Memory: 64 << 20 }, { Memory: 64 << 20, MemorySwap: 128 << 20 }],
  ['unlimited swap', { Memory: 64 << 20, MemorySwap: -1 }, { MemorySwap: -1 }],
  [
    'client words for unset',
    { MemorySwappiness: -1, PidsLimit: 0, NetworkMode: 'default' },
    { MemorySwappiness: null, PidsLimit: null, NetworkMode: 'bridge' },
  ],
  ['memory', { Memory: 5 << 20 }, 'Minimum memory limit allowed is 6MB'],
  ['reserved memory', { MemoryReservation: 1024 }, 'Minimum memory reservation allowed is 6MB'],
  ['storage option', { StorageOpt: { nope: '1' } }, 'Unknown option nope'],
  [
    'annotation without a name',
    { Annotations: { '': 'x' } },
    'invalid Annotations: the empty string is not permitted as an annotation key',
  ],
  [
    'swap below memory',
    { Memory: 64 << 20, MemorySwap: 32 << 20 },
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  ],
  [
    'swap alone',
    { MemorySwap: 1 << 30 },
    'You should always set the Memory limit when using Memoryswap limit, see usage',
  ],
  [
    'cpus and quota',
    { NanoCpus: 1e9, CpuQuota: 5000 },
    'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
  ],
  ['oom score', { OomScoreAdj: 2000 }, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
  [
    'restart and remove',
    { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    "can't create 'AutoRemove' container with restart policy",
  ],
  [
    'log driver',
    { LogConfig: { Type: 'syslog', Config: {} } },
    `error looking up logging plugin syslog: plugin "syslog" not found`,
  ],
];
for (const [name, asked, expected] of hostConfigs)
  test(`host config: ${name}`, () => {
    if (typeof expected === 'string')
      return assert.throws(() => normaliseHostConfig(asked, cgroups), { kind: 'invalid', message: expected });
    const { hostConfig } = normaliseHostConfig(asked, cgroups);
    assert.partialDeepStrictEqual(hostConfig, expected);
  });

test('limits in the form of the runtime', () => {
  assert.deepEqual(resourcesOf({ NanoCpus: 1.5e9, Memory: 8, MemorySwap: 16, PidsLimit: 5 }, cgroups), {
    memory: 8,
    memorySwap: 16,
    cpuPeriod: 100_000,
    cpuQuota: 150_000,
    pids: 5,
  });
  assert.deepEqual(resourcesOf({}, cgroups), {});
});

test('security options', () => {
  const none = { seccomp: 'default', noNewPrivileges: false, openSystemPaths: false };
  assert.deepEqual(securityOf({}), none);
  const SecurityOpt = ['seccomp=unconfined', 'no-new-privileges', 'label=disable', 'systempaths=unconfined'];
  assert.deepEqual(securityOf({ SecurityOpt }), {
    seccomp: 'unconfined',
    noNewPrivileges: true,
    openSystemPaths: true,
  });
  assert.deepEqual(securityOf({ SecurityOpt: ['no-new-privileges:false', 'apparmor:x'] }), none);
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
      { name: 'mount', action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['bpf'], action: 'SCMP_ACT_KILL', includes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['x'], action: 'SCMP_ACT_KILL', includes: { arches: ['s390x'] } },
    ],
  };
  const { seccomp } = securityOf({ SecurityOpt: [`seccomp=${JSON.stringify(profile)}`] });
  assert.ok(typeof seccomp === 'object');
  assert.deepEqual(
    seccomp.syscalls.map(({ names, errnoRet }) => [...names, errnoRet]),
    [
      ['mkdir', 13],
      ['mount', undefined],
    ],
  );
  for (const option of [
    'what=ever',
    'what',
    'no-new-privileges=maybe',
    'systempaths=x',
    'seccomp={',
    'seccomp=[]',
    'seccomp={"syscalls":1}',
  ])
    assert.throws(() => securityOf({ SecurityOpt: [option] }), { kind: 'invalid' }, option);
});

test('signals by name and number', () => {
  for (const [text, number] of [
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['RTMIN+3', 37],
    ['SIGRTMAX-1', 63],
  ] as const)
    assert.equal(signalNumber(text), number);
  for (const text of ['', 'NOPE', '0', '65', '-1']) assert.throws(() => signalNumber(text), { kind: 'invalid' });
});

test('durations and states as ps shows them', () => {
  const second = 1000;
  const hour = 3600 * second;
  for (const [milliseconds, text] of [
    [999, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [60 * second, 'About a minute'],
    [59 * 60 * second, '59 minutes'],
    [hour, 'About an hour'],
    [47 * hour, '47 hours'],
    [48 * hour, '2 days'],
    [14 * 24 * hour, '2 weeks'],
    [60 * 24 * hour, '2 months'],
    [730 * 24 * hour, '2 years'],
  ] as const)
    assert.equal(humanDuration(milliseconds), text);
  const now = Date.parse('2026-01-01T00:00:10Z');
  const targets = { made: [], raised: [] };
  const startedAt = '2026-01-01T00:00:05Z';
  assert.equal(statusText({ status: 'created', error: '', exitCode: 0 }, now), 'Created');
  assert.equal(statusText({ status: 'paused', pid: 1, startedAt, targets }, now), 'Up 5 seconds (Paused)');
  const ended = { startedAt, finishedAt: startedAt, exitCode: 7, oomKilled: false, error: '' };
  assert.equal(statusText({ status: 'exited', ...ended }, now), 'Exited (7) 5 seconds ago');
});

test('names are made and checked', () => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const name = randomName(attempt);
    assert.match(name, attempt === 0 ? /^[a-z]+_[a-z]+$/ : /^[a-z]+_[a-z]+\d+$/);
    checkName(name);
  }
  for (const name of ['', 'a', '-ab', 'a b', 'a/b', `a${'b'.repeat(300)}`]) assert.throws(() => checkName(name));
});

test('the hosts file names the container, extra hosts and the gateway', () => {
  const extraHosts = ['db:10.0.0.5', 'six:fe80::1', 'up:host-gateway'];
  const text = hostsFile({
    addresses: ['172.17.0.2'],
    hostname: 'h',
    domainname: 'd',
    extraHosts,
    gateway: '172.17.0.1',
    linked: [],
  });
  assert.match(text, /^127\.0\.0\.1\tlocalhost\n/);
  assert.match(text, /\n10\.0\.0\.5\tdb\nfe80::1\tsix\n172\.17\.0\.1\tup\n172\.17\.0\.2\th\.d h\n$/);
  const rest = { addresses: ['172.17.0.2'], domainname: '', extraHosts: [], gateway: '', linked: [] };
  assert.match(hostsFile({ ...rest, hostname: 'a.b.c' }), /\n172\.17\.0\.2\ta\.b\.c a\n$/);
  assert.match(hostsFile({ ...rest, hostname: 'a' }), /\n172\.17\.0\.2\ta\n$/);
});

function exitedRecord(
  RestartPolicy: HostConfig['RestartPolicy'],
  restarts: number,
  exitCode = 1,
  stoppedByUser = false,
): ContainerRecord {
  return {
    created: '',
    image: undefined,
    config: {},
    hostConfig: RestartPolicy ? { RestartPolicy } : {},
    endpoints: {},
    mounts: [],
    phase: { status: 'exited', startedAt: '', finishedAt: '', exitCode, oomKilled: false, error: '' },
    restarts,
    stoppedByUser,
  };
}

test('restart delays double, up to a minute, while the policy wants it', () => {
  const record = exitedRecord;
  assert.equal(restartDelay(record(undefined, 0)), undefined);
  assert.equal(restartDelay(record({ Name: 'always' }, 0, 0)), 100);
  assert.equal(restartDelay(record({ Name: 'always' }, 3)), 800);
  assert.equal(restartDelay(record({ Name: 'always' }, 100)), 60_000);
  assert.equal(restartDelay(record({ Name: 'always' }, 0, 1, true)), undefined);
  assert.equal(restartDelay(record({ Name: 'on-failure' }, 0, 0)), undefined);
  assert.equal(restartDelay(record({ Name: 'on-failure', MaximumRetryCount: 2 }, 2)), undefined);
});

test('what starts with the host', () => {
  for (const [policy, exitCode, stoppedByUser, starts] of [
    [undefined, 1, false, false],
    [{ Name: 'no' }, 1, false, false],
    [{ Name: 'always' }, 0, true, true],
    [{ Name: 'unless-stopped' }, 0, false, true],
    [{ Name: 'unless-stopped' }, 0, true, false],
    [{ Name: 'on-failure' }, 0, false, false],
    [{ Name: 'on-failure' }, 255, false, true],
    [{ Name: 'on-failure' }, 137, true, false],
  ] as const)
    assert.equal(startsWithHost(exitedRecord(policy, 0, exitCode, stoppedByUser)), starts, JSON.stringify(policy));
  const created = { status: 'created', error: '', exitCode: 0 } as const;
  assert.equal(startsWithHost({ ...exitedRecord({ Name: 'always' }, 0), phase: created }), false);
});
