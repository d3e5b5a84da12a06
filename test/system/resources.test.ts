/** Limits of builds and containers (mission rows D7, R2), read from inside and felt. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

// Where the kernel shows a limit inside of a container depends on the version of its control groups.
const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const group = '/sys/fs/cgroup';

interface Limit {
  readonly flags: readonly string[];
  readonly read: string;
  readonly shows: string;
}

const weight = (shares: number) => String(1 + Math.trunc(((shares - 2) * 9999) / 262142));
const LIMITS: Readonly<Record<string, Limit>> = {
  '-m': {
    flags: ['-m', '64m'],
    read: v2 ? `cat ${group}/memory.max` : `cat ${group}/memory/memory.limit_in_bytes`,
    shows: '67108864',
  },
  '--memory-swap': {
    flags: ['--memory', '64m', '--memory-swap', '96m'],
    read: v2 ? `cat ${group}/memory.swap.max` : `cat ${group}/memory/memory.memsw.limit_in_bytes`,
    shows: v2 ? '33554432' : '100663296',
  },
  '--cpu-shares': {
    flags: ['--cpu-shares', '512'],
    read: v2 ? `cat ${group}/cpu.weight` : `cat ${group}/cpu/cpu.shares`,
    shows: v2 ? weight(512) : '512',
  },
  '--cpu-period and --cpu-quota': {
    flags: ['--cpu-period', '50000', '--cpu-quota', '25000'],
    read: v2 ? `cat ${group}/cpu.max` : `echo $(cat ${group}/cpu/cpu.cfs_quota_us ${group}/cpu/cpu.cfs_period_us)`,
    shows: '25000 50000',
  },
  '--cpuset-cpus': {
    flags: ['--cpuset-cpus', '0'],
    read: 'grep Cpus_allowed_list /proc/self/status | cut -f 2',
    shows: '0',
  },
  '--cpuset-mems': {
    flags: ['--cpuset-mems', '0'],
    read: 'grep Mems_allowed_list /proc/self/status | cut -f 2',
    shows: '0',
  },
  '--shm-size': {
    flags: ['--shm-size', '16m'],
    read: 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2',
    shows: '16384',
  },
  'no --shm-size': { flags: [], read: 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2', shows: '65536' },
  '--ulimit': {
    flags: ['--ulimit', 'nofile=123:456', '--ulimit', 'core=0'],
    read: 'echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -c)',
    shows: '123 456 0',
  },
};

for (const [name, { flags, read, shows }] of Object.entries(LIMITS)) {
  test(`build ${name}`, async () => {
    const output = await host.build('limited', `FROM busybox\nRUN echo "limit: $(${read})"\n`, {}, [
      '--no-cache',
      ...flags,
    ]);
    assert.match(output, new RegExp(`^limit: ${shows}$`, 'm'));
  });
  test(`run ${name}`, async () => {
    assert.equal(await host.ok(['run', '--rm', ...flags, 'busybox', 'sh', '-c', read]), shows);
  });
}

test('run --cpus and --pids-limit', async () => {
  const quota = v2
    ? `cat ${group}/cpu.max`
    : `echo $(cat ${group}/cpu/cpu.cfs_quota_us ${group}/cpu/cpu.cfs_period_us)`;
  assert.equal(await host.ok(['run', '--rm', '--cpus', '0.5', 'busybox', 'sh', '-c', quota]), '50000 100000');
  const pids = v2 ? `cat ${group}/pids.max` : `cat ${group}/pids/pids.max`;
  assert.equal(await host.ok(['run', '--rm', '--pids-limit', '20', 'busybox', 'sh', '-c', pids]), '20');
  const many = await host.strake([
    'run',
    '--rm',
    '--pids-limit',
    '20',
    'busybox',
    'sh',
    '-c',
    'for i in $(seq 50); do sleep 5 & done; echo started all',
  ]);
  assert.match(many.stderr, /fork|Resource temporarily unavailable/);
});

/** Holds 190 MB. Of more bytes than it keeps, tail would move all of them for each block that comes. */
const HOG = 'head -c 190001000 /dev/zero | tail -c 190000000 > /dev/null';

test('a build step that takes more memory than it may is killed and the build fails with 137', async () => {
  const context = makeContext(host.folder, { Dockerfile: `FROM busybox\nRUN exec tail -c 190000000 /dev/zero\n` });
  const result = await host.strake(['build', '-m', '32m', '--memory-swap', '32m', context]);
  assert.equal(result.code, 137, result.stderr);
  assert.match(result.stderr, /returned a non-zero code: 137/);
  await host.build('unlimited', `FROM busybox\nRUN ${HOG}\n`, {}, ['-m', '1g']);
});

test('a container that takes more memory than it may is killed, and inspect says why', async () => {
  const result = await host.strake([
    'run',
    '--name',
    'hog',
    '-m',
    '32m',
    '--memory-swap',
    '32m',
    'busybox',
    'tail',
    '-c',
    '190000000',
    '/dev/zero',
  ]);
  assert.equal(result.code, 137);
  assert.equal(await host.inspect('hog', '{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137');
  await host.ok(['rm', 'hog']);
});

test('a quota of the processor is felt', async () => {
  // The kernel counts how often the container had to wait; times would depend on what else runs.
  const work =
    'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat';
  const held = async (flags: string[]) => {
    const { stdout } = await host.strake(['run', '--rm', ...flags, 'busybox', 'sh', '-c', work]);
    return Number(/^nr_throttled (\d+)$/m.exec(stdout)?.[1] ?? 0);
  };
  assert.equal(await held([]), 0);
  assert.ok((await held(['--cpus', '0.1'])) > 0);
});

test('the limits of a build are part of the container alone, not of the image or the cache', async () => {
  const dockerfile = 'FROM busybox\nRUN echo limits-do-not-count\n';
  await host.build('one', dockerfile, {}, ['-m', '64m']);
  assert.match(await host.build('two', dockerfile, {}, ['-m', '128m', '--ulimit', 'nofile=99']), /Using cache/);
});

const WRONG: readonly [flags: string[], message: RegExp][] = [
  [['-m', 'x'], /invalid (argument|size).*"?x"?/],
  [['-m', '1m'], /Minimum memory limit allowed is 6MB/],
  [['-m', '64m', '--memory-swap', '32m'], /Minimum memoryswap limit should be larger than memory limit/],
  [['--memory-swap', '64m'], /always set the Memory limit when using Memoryswap limit/],
  [['--cpuset-cpus', '999'], /Requested CPUs are not available - requested 999/],
  [['--cpuset-cpus', 'x'], /Invalid value x for cpuset cpus/],
  [['--cpu-period', '5'], /CPU cfs period can not be less than 1ms/],
  [['--ulimit', 'nofile'], /invalid ulimit argument: nofile/],
  [['--ulimit', 'bogus=1'], /invalid ulimit type: bogus/],
  [['--shm-size', '-1'], /invalid|SHM size can not be less than 0/],
];
for (const [flags, message] of WRONG)
  test(`wrong: ${flags.join(' ')}`, async () => {
    const result = await host.strake(['run', '--rm', ...flags, 'busybox', 'true']);
    assert.equal(result.code, 125, result.stderr);
    assert.match(result.stderr, message);
    const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo wrong limits\n' });
    const build = await host.strake(['build', '--no-cache', ...flags, context]);
    assert.notEqual(build.code, 0, 'build accepts what run refuses');
    assert.match(build.stderr, message);
  });
