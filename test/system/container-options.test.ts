/** Options of containers that the machine enforces, changes of them while they run, and their logs. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, run, smallDisk, startHost, type TestHost, until } from './harness.ts';

const NONE = ['--network', 'none'];

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const once = (flags: readonly string[], command: string) =>
  host.strake(['run', '--rm', ...NONE, ...flags, 'busybox', 'sh', '-c', command]);

/** Flags of run, a command, and what it prints. */
const enforced: [string, string[], string, RegExp][] = [
  ['groups: the user and added ones', ['-u', 'app', '--group-add', '77'], 'id -G', /^1000 2000 77$|^1000 77 2000$/],
  ['groups: by name', ['--group-add', 'extra'], 'id -G', /^0 2000$/],
  ['tmpfs options', ['--tmpfs', '/t:size=1m,mode=700,uid=5'], 'grep " /t " /proc/mounts', /size=1024k,mode=700,uid=5/],
  ['init', ['--init'], 'ps -o pid,comm | sed -n 2p', /^ *1 docker-init$/],
  ['sysctl', ['--sysctl', 'net.ipv4.ip_forward=1'], 'cat /proc/sys/net/ipv4/ip_forward', /^1$/],
  ['device', ['--device', '/dev/null:/dev/mine:rw'], 'echo x > /dev/mine && echo ok', /^ok$/],
  [
    'device rule',
    ['--device-cgroup-rule', 'c 1:3 rwm', '--cap-add', 'MKNOD'],
    'mknod /n c 1 3 && echo x > /n && echo ok',
    /^ok$/,
  ],
  ['no new privileges', ['--security-opt', 'no-new-privileges'], 'grep NoNewPrivs /proc/self/status', /1$/],
  ['no seccomp', ['--security-opt', 'seccomp=unconfined'], 'grep Seccomp: /proc/self/status', /0$/],
  [
    'open system paths',
    ['--security-opt', 'systempaths=unconfined'],
    'test -w /proc/sys/kernel/hostname && echo open',
    /^open$/,
  ],
  ['ipc none', ['--ipc', 'none'], 'ls -d /dev/shm || echo none', /^none$/],
  ['oom score', ['--oom-score-adj', '500'], 'cat /proc/self/oom_score_adj', /^500$/],
];
for (const [name, flags, command, expected] of enforced)
  test(`run: ${name}`, async () => {
    const { code, stdout, stderr } = await once(flags, command);
    assert.equal(code, 0, stderr);
    assert.match(stdout.trim(), expected);
  });

test('run: rates of a block device', async (t) => {
  const line = readFileSync('/proc/partitions', 'utf8')
    .split('\n')
    .find((row) => /\d (?:[sv]d[a-z]|nvme\dn\d)$/.test(row));
  const device = line?.trim().split(/\s+/).at(-1);
  const file = '/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device';
  if (device === undefined || !existsSync(file)) return t.skip('no disk, or no blkio controller of version 1');
  const { stdout, stderr } = await once(['--device-write-bps', `/dev/${device}:1mb`], `cat ${file}`);
  assert.match(stdout, /^\d+:\d+ 1048576$/m, stderr);
});

test('run: a seccomp profile of the user', async () => {
  const path = join(host.folder, 'profile.json');
  const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 };
  writeFileSync(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
  const command = ['run', '--rm', ...NONE, '--security-opt', `seccomp=${path}`, 'busybox', 'mkdir', '/x'];
  for (const result of [await host.strake(command), await host.docker(command)]) {
    assert.equal(result.code, 1);
    assert.match(result.stderr, /Permission denied/);
  }
});

test('run: shared memory of another container, and of one that does not share', async () => {
  const quiet = ['-d', ...NONE, 'busybox', 'sh', '-c'];
  await host.ok([
    'run',
    '--name',
    'donor',
    '--ipc',
    'shareable',
    '--shm-size',
    '1m',
    ...quiet,
    'echo hi > /dev/shm/x; sleep 100',
  ]);
  await host.ok(['run', '--name', 'alone', ...quiet, 'sleep 100']);
  await until(async () => (await host.docker(['exec', 'donor', 'cat', '/dev/shm/x'])).stdout === 'hi\n');
  const joined = await once(['--ipc', 'container:donor'], 'cat /dev/shm/x; df -k /dev/shm | tail -1');
  assert.match(joined.stdout, /^hi\nshm +1024 /, joined.stderr);
  const refusal = await once(['--ipc', 'container:alone'], 'true');
  assert.equal(refusal.code, 125);
  assert.match(refusal.stderr, /non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)/);
  await host.ok(['rm', '-f', 'donor', 'alone']);
  assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes(`${host.folder}/data/active/`));
});

test('run: a read-only bind is read-only with what is mounted below it', async () => {
  const outer = join(host.folder, 'outer');
  mkdirSync(join(outer, 'inner'), { recursive: true });
  assert.equal((await run('mount', ['-t', 'tmpfs', 'inner', join(outer, 'inner')])).code, 0);
  try {
    const command = 'touch /o/x /o/inner/x; ls /o/inner';
    const { stdout, stderr } = await once(['-v', `${outer}:/o:ro`], command);
    assert.equal(stdout, '');
    assert.match(stderr, /inner\/x: Read-only file system/);
    const flag = `type=bind,src=${outer},dst=/o,readonly,bind-recursive=writable`;
    const docker = await host.docker(['run', '--rm', ...NONE, '--mount', flag, 'busybox', 'sh', '-c', command]);
    assert.equal(docker.stdout, 'x\n', docker.stderr);
  } finally {
    await run('umount', [join(outer, 'inner')]);
  }
});

test('run: the files that the host writes follow a read-only root', async () => {
  const { stderr } = await once(['--read-only'], 'touch /etc/hosts');
  assert.match(stderr, /Read-only file system/);
});

test('top shows processes that have another terminal or none', async () => {
  await host.ok(['run', '-d', '--name', 'topped', ...NONE, 'busybox', 'sleep', '100']);
  const { stdout } = await host.docker(['top', 'topped', '-o', 'pid,args']);
  assert.match(stdout, /sleep 100/);
  await host.ok(['rm', '-f', 'topped']);
});

test('diff leaves out a folder in which nothing stayed', async () => {
  await host.ok(['run', '--name', 'undone', ...NONE, 'busybox', 'sh', '-c', 'touch /tmp/x; rm /tmp/x; touch /root/y']);
  assert.equal(await host.ok(['diff', 'undone']), 'C /root\nA /root/y');
  await host.ok(['rm', 'undone']);
});

const refused: [string, string[], RegExp][] = [
  ['a folder without devices', ['--device', '/etc'], /custom device "\/etc": not a device node/],
  ['log pattern', ['--log-opt', 'env-regex=('], /invalid regular expression of log option env-regex: \(/],
  ['log mode', ['--log-opt', 'mode=bad'], /logging mode not supported: bad/],
  ['volume driver', ['--volume-driver', 'nope', '-v', 'vol:/x'], /error looking up volume plugin nope/],
  [
    'volume option',
    ['--mount', 'type=volume,src=vol,dst=/x,volume-opt=size=1m'],
    /quota size requested but no quota support/,
  ],
  ['user', ['-u', '99999999999'], /uids and gids must be in range 0-2147483647/],
  ['runtime', ['--runtime', 'nope'], /unknown or invalid runtime name: nope/],
  ['isolation', ['--isolation', 'hyperv'], /Invalid isolation: "hyperv" - linux only supports 'default'/],
  ['stop signal', ['--stop-signal', 'SIGNOPE'], /invalid signal: SIGNOPE/],
  ['group', ['--group-add', 'nogroup'], /Unable to find group nogroup: no matching entries in group file/],
  ['security option', ['--security-opt', 'nope=1'], /invalid --security-opt 2: "nope=1"/],
  ['log driver', ['--log-driver', 'nope'], /error looking up logging plugin nope: plugin "nope" not found/],
  ['log option', ['--log-opt', 'nope=1'], /unknown log opt 'nope' for json-file log driver/],
  ['log size', ['--log-opt', 'max-size=bad'], /invalid size: 'bad'/],
  ['device', ['--device-read-bps', '/dev/nope:1mb'], /stat \/dev\/nope: no such file or directory/],
  ['storage option', ['--storage-opt', 'size=1G'], /--storage-opt is supported only for/],
  ['volumes of a container that is not there', ['--volumes-from', 'nope'], /No such container: nope/],
  [
    'health interval',
    ['--health-cmd', 'x', '--health-interval', '1us'],
    /Interval in Healthcheck cannot be less than 1ms/,
  ],
];
test('run: options that are refused, in the words of the docker command', async () => {
  for (const [name, flags, expected] of refused) {
    const { code, stderr } = await host.docker(['run', '--rm', ...NONE, ...flags, 'busybox', 'true']);
    assert.ok(code === 125 || code === 127, `${name}: ${code}`);
    assert.match(stderr, expected, name);
  }
});

test('a container that is killed for its memory says so', async () => {
  const command = 'dd if=/dev/zero of=/dev/null bs=100M count=1';
  const flags = ['-m', '24m', '--memory-swap', '24m', '--name', 'oom'];
  const since = String(Date.now() / 1000 - 1);
  assert.equal((await host.strake(['run', ...NONE, ...flags, 'busybox', 'sh', '-c', command])).code, 137);
  assert.equal(await host.inspect('oom', '{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137');
  const events = ['events', '--since', since, '--until', String(Date.now() / 1000), '--filter', 'container=oom'];
  assert.match(await host.ok([...events, '--format', '{{.Action}}']), /^oom$/m);
  await host.ok(['rm', 'oom']);
});

test('a health check whose program is missing makes the container unhealthy and says why', async () => {
  const health = ['--health-cmd', '/no/such/check', '--health-interval', '100ms', '--health-retries', '1'];
  await host.ok(['run', '-d', '--name', 'sick', ...NONE, ...health, 'busybox', 'sleep', '1000']);
  await until(async () => (await host.inspect('sick', '{{.State.Health.Status}}')) === 'unhealthy', 20);
  assert.match(await host.inspect('sick', '{{(index .State.Health.Log 0).Output}}'), /not found/);
  assert.equal(await host.ok(['ps', '--filter', 'health=unhealthy', '--format', '{{.Names}}']), 'sick');
  await host.ok(['rm', '-f', 'sick']);
});

test('update changes limits while the container runs, and the restart policy', async () => {
  await host.ok([
    'run',
    '-d',
    '--name',
    'up',
    ...NONE,
    '-m',
    '64m',
    '--memory-swap',
    '128m',
    'busybox',
    'sleep',
    '1000',
  ]);
  const flags = ['-m', '32m', '--cpu-shares', '300', '--pids-limit', '30', '--restart', 'on-failure:2'];
  assert.equal(await host.ok(['update', ...flags, 'up']), 'up');
  const format =
    '{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}';
  assert.equal(await host.inspect('up', format), '33554432 300 30 on-failure 2');
  const limit = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids/pids.max' : '/sys/fs/cgroup/pids.max';
  assert.equal(await host.ok(['exec', 'up', 'cat', limit]), '30');
  assert.equal((await host.docker(['update', '--pids-limit', '-1', 'up'])).stdout, 'up\n');
  assert.ok(Number(await host.ok(['exec', 'up', 'cat', limit])) > 10_000);
  for (const [args, expected] of [
    [
      ['-m', '500m'],
      /Cannot update container [0-9a-f]+: Memory limit should be smaller than already set memoryswap limit/,
    ],
    [['--restart', 'bad'], /unknown policy 'bad'/],
    [['-m', '1m'], /Minimum memory limit allowed is 6MB/],
  ] as const) {
    const { code, stderr } = await host.docker(['update', ...args, 'up']);
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  assert.equal(await host.inspect('up', '{{.HostConfig.Memory}}'), '33554432', 'a refused change changes nothing');
  await host.ok(['rm', '-f', 'up']);
});

test('logs are kept in files of a size, and read across them', async () => {
  const limits = ['--log-opt', 'max-size=4k', '--log-opt', 'max-file=3'];
  const script = 'for i in $(seq 1 500); do echo line $i; done';
  await host.ok([
    'run',
    '--name',
    'log',
    ...NONE,
    ...limits,
    '--log-opt',
    'labels=lb',
    '-l',
    'lb=1',
    'busybox',
    'sh',
    '-c',
    script,
  ]);
  const lines = (await host.ok(['logs', 'log'])).split('\n');
  assert.ok(lines.length > 60 && lines.length < 300, `${lines.length} lines`);
  assert.deepEqual(
    lines,
    Array.from({ length: lines.length }, (_, i) => `line ${500 - lines.length + 1 + i}`),
  );
  assert.equal((await host.docker(['logs', '--tail', '60', 'log'])).stdout, `${lines.slice(-60).join('\n')}\n`);
  assert.equal((await host.docker(['logs', '--details', '-n', '1', 'log'])).stdout, 'lb=1 line 500\n');
  const path = await host.inspect('log', '{{.LogPath}}');
  assert.ok(existsSync(`${path}.2`) && !existsSync(`${path}.3`));
  await host.ok(['rm', 'log']);
});

test('who follows the log of a container to its end finds it ended', async () => {
  await host.ok(['run', '-d', '--name', 'follow', ...NONE, 'busybox', 'sh', '-c', 'echo a; sleep 0.2; echo b']);
  assert.equal(await host.ok(['logs', '-f', 'follow']), 'a\nb');
  await host.ok(['rm', 'follow']);
});

test('a disk that is full ends neither the container nor the host; the log goes on when there is room', async () => {
  using disk = smallDisk(24);
  await using small = await startHost({ folder: disk.path });
  await importBusybox(small);
  const script = 'while [ ! -e /stop ]; do head -c 20000 /dev/zero | tr "\\0" x; echo; done; sleep 0.2; echo the end';
  await small.ok([
    'run',
    '-d',
    '--name',
    'loud',
    ...NONE,
    '--tmpfs',
    '/s',
    'busybox',
    'sh',
    '-c',
    script.replaceAll('/stop', '/s/stop'),
  ]);
  const free = async () => Number((await run('stat', ['-f', '-c', '%a', disk.path])).stdout);
  await until(async () => (await free()) === 0, 60);
  assert.equal(await small.inspect('loud', '{{.State.Status}}'), 'running');
  const path = await small.inspect('loud', '{{.LogPath}}');
  await run('truncate', ['-s', '0', path]);
  await run('rm', ['-f', join(disk.path, 'busybox.tar')]);
  await small.ok(['exec', 'loud', 'touch', '/s/stop']);
  await until(async () => (await small.inspect('loud', '{{.State.Status}}')) === 'exited', 30);
  assert.equal(await small.inspect('loud', '{{.State.ExitCode}}'), '0');
  await small.ok(['rm', 'loud']);
});
