import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountsUnder } from '../host/mount.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { gather } from '../store/test-store.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import { containerStats, processTable } from './monitor.ts';
import { openTestHost, signal, type TestHost, unframed } from './test-host.ts';

const skip = process.getuid?.() === 0 ? false : 'containers need root';
const STREAM = { stdin: true, stdout: true, stderr: true, logs: false, stream: true };

describe('containers', { skip }, () => {
  let host: TestHost;
  before(async () => {
    host = await openTestHost();
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
    assert.deepEqual(mountsUnder(host.root), []);
  });
  const remove = (id: string) => host.containers.remove(id, { signal, force: true, volumes: true });

  const outcomes: [string, ContainerConfig, HostConfig, number, RegExp][] = [
    [
      'exit code and both outputs',
      { Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 7'] },
      {},
      7,
      /out\n.*err\n|err\n.*out\n/,
    ],
    ['entrypoint and command', { Entrypoint: ['echo', 'a'], Cmd: ['b c'] }, {}, 0, /^a b c\n$/],
    [
      'environment',
      { Cmd: ['sh', '-c', 'echo $A $HOME $HOSTNAME $PATH'], Env: ['A=1'], Hostname: 'h' },
      {},
      0,
      /^1 \/root h \/usr\/local\/sbin:/,
    ],
    [
      'user with groups',
      { Cmd: ['id'], User: 'user' },
      {},
      0,
      /^uid=1000\(user\) gid=1001\(user\) groups=1001\(user\),1002\(extra\)\n/,
    ],
    ['numeric user', { Cmd: ['id'], User: '7:8' }, {}, 0, /^uid=7 gid=8 groups=8\n/],
    ['working directory made', { Cmd: ['sh', '-c', 'pwd'], WorkingDir: '/new/place' }, {}, 0, /^\/new\/place\n$/],
    [
      'tmpfs',
      { Cmd: ['sh', '-c', 'mount'] },
      { Tmpfs: { '/t': 'size=1m' } },
      0,
      /tmpfs on \/t .*nosuid,nodev,noexec.*size=1024k/,
    ],
    ['read-only root', { Cmd: ['sh', '-c', 'echo > /x'] }, { ReadonlyRootfs: true }, 1, /Read-only file system/],
    ['own processes', { Cmd: ['sh', '-c', 'echo $$'] }, {}, 0, /^1\n$/],
    [
      'out of memory',
      { Cmd: ['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=100M count=1'] },
      { Memory: 8 << 20 },
      137,
      /^$/,
    ],
  ];
  for (const [name, config, hostConfig, exitCode, output] of outcomes)
    test(name, async () => {
      const ended = await host.run(config, hostConfig);
      assert.equal(ended.exitCode, exitCode, ended.output);
      assert.match(ended.output, output);
      const { State } = host.containers.inspect(ended.id);
      assert.deepEqual([State.Status, State.ExitCode, State.OOMKilled], ['exited', exitCode, name === 'out of memory']);
      await remove(ended.id);
    });

  test('a container leaves in its layer only what its program did', async () => {
    const { id } = await host.run(
      { Cmd: ['sh', '-c', 'echo x > /made; echo y > /etc/own'] },
      { Binds: ['/proc:/a/b'] },
    );
    const { upper } = host.containers.find(id).snapshot;
    assert.deepEqual(readdirSync(upper).sort(), ['etc', 'made']);
    assert.deepEqual(readdirSync(join(upper, 'etc')), ['own']);
    await remove(id);
    const quiet = await host.run({ Cmd: ['true'] });
    assert.deepEqual(readdirSync(host.containers.find(quiet.id).snapshot.upper), []);
    await remove(quiet.id);
  });

  test('a link to nowhere at a mount target is followed, and nothing of that stays', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['cat', '/etc/hostname'], Hostname: 'h' }));
    const { upper } = host.containers.find(id).snapshot;
    mkdirSync(join(upper, 'etc'));
    symlinkSync('../run/names/hostname', join(upper, 'etc/hostname'));
    const { output } = host.containers.attach(id, STREAM, { signal });
    await host.containers.start(id, { signal });
    assert.equal(unframed(await output.toArray()), 'h\n');
    await host.containers.wait(id, 'not-running', { signal }).exit;
    assert.deepEqual([readdirSync(upper), readdirSync(join(upper, 'etc'))], [['etc'], ['hostname']]);
    await remove(id);
  });

  test('/etc/mtab is there for the run where the image has none, and stays when the program made it', async () => {
    const { id, output } = await host.run({ Cmd: ['/bin/busybox', 'readlink', '/etc/mtab'] });
    assert.equal(output, '/proc/mounts\n');
    await remove(id);
    const own = await host.run({ Cmd: ['/bin/busybox', 'ln', '-sf', '/proc/self/mounts', '/etc/mtab'] });
    const { upper } = host.containers.find(own.id).snapshot;
    assert.deepEqual(readdirSync(join(upper, 'etc')), ['mtab']);
    await remove(own.id);
    const given = await host.containers.create(host.request({ Cmd: ['/bin/busybox', 'readlink', '/etc/mtab'] }));
    const etc = join(host.containers.find(given.id).snapshot.upper, 'etc');
    mkdirSync(etc);
    symlinkSync('/elsewhere', join(etc, 'mtab'));
    await host.containers.start(given.id, { signal });
    await host.containers.wait(given.id, 'not-running', { signal }).exit;
    assert.deepEqual([readdirSync(etc), readlinkSync(join(etc, 'mtab'))], [['mtab'], '/elsewhere']);
    await remove(given.id);
  });

  test('events of a container that removes itself, in order', async () => {
    host.events.length = 0;
    const { id } = await host.containers.create(host.request({ Cmd: ['true'] }, { AutoRemove: true }));
    const { output } = host.containers.attach(id, STREAM, { signal });
    output.resume();
    const { exit } = host.containers.wait(id, 'removed', { signal });
    await host.containers.start(id, { signal });
    assert.equal(await exit, 0);
    assert.throws(() => host.containers.find(id), { message: `No such container: ${id}` });
    assert.deepEqual(
      host.events.map(({ type, action }) => (type === 'container' ? action : `${type} ${action}`)),
      ['create', 'attach', 'network connect', 'start', 'die', 'network disconnect', 'destroy'],
    );
    assert.equal(existsSync(join(host.root, 'data/containers', id)), false);
    // Who waits a moment too late still learns how it ended, but nobody sees a next end.
    assert.equal(await host.containers.wait(id, 'not-running', { signal }).exit, 0);
    assert.equal(await host.containers.wait(id, 'removed', { signal }).exit, 0);
    assert.throws(() => host.containers.wait(id, 'next-exit', { signal }), { kind: 'not-found' });
  });

  for (const [cmd, exitCode, message] of [
    ['/none', 127, /exec: "\/none": stat \/none: no such file or directory: unknown$/],
    ['none', 127, /exec: "none": executable file not found in \$PATH: unknown$/],
    ['/etc/passwd', 126, /exec: "\/etc\/passwd": permission denied: unknown$/],
  ] as const)
    test(`a start of ${cmd} that fails`, async () => {
      const { id } = await host.containers.create(host.request({ Cmd: [cmd] }));
      await assert.rejects(host.containers.start(id, { signal }), { message, exitCode });
      const { State } = host.containers.inspect(id);
      assert.deepEqual([State.Status, State.ExitCode], ['created', exitCode]);
      assert.match(State.Error, message);
      assert.deepEqual(mountsUnder(join(host.root, 'data')), []);
      await remove(id);
    });

  test('removed answers when a container that removes itself cannot start', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['none'] }, { AutoRemove: true }));
    const { exit } = host.containers.wait(id, 'removed', { signal });
    await assert.rejects(host.containers.start(id, { signal }));
    assert.equal(await exit, 127);
  });

  test('input, and its end', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['cat'], OpenStdin: true, StdinOnce: true }));
    const { input, output } = host.containers.attach(id, STREAM, { signal });
    input?.write('early ');
    await host.containers.start(id, { signal });
    input?.end('late');
    assert.equal(unframed(await output.toArray()), 'early late');
    assert.equal(await host.containers.wait(id, 'not-running', { signal }).exit, 0);
    await remove(id);
  });

  test('a terminal', async () => {
    const { id } = await host.containers.create(
      host.request({ Cmd: ['sh', '-c', 'read a; stty size; echo "$TERM $a"'], Tty: true, OpenStdin: true }),
    );
    const { input, output, tty } = host.containers.attach(id, STREAM, { signal });
    await host.containers.start(id, { signal });
    host.containers.resize(id, { width: 90, height: 30 });
    input?.write('word\n');
    assert.equal(tty, true);
    assert.match(Buffer.concat(await output.toArray()).toString(), /word\r\n30 90\r\nxterm word\r\n$/);
    await remove(id);
  });

  test('a terminal whose client has left takes the input of the next one', async () => {
    const terminal = { Cmd: ['sh', '-c', 'read a; echo "got $a"'], Tty: true, OpenStdin: true, StdinOnce: true };
    const { id } = await host.containers.create(host.request(terminal));
    const first = host.containers.attach(id, STREAM, { signal });
    await host.containers.start(id, { signal });
    first.input?.end();
    first.output.destroy();
    const second = host.containers.attach(id, STREAM, { signal });
    second.input?.write('word\n');
    assert.match(Buffer.concat(await second.output.toArray()).toString(), /got word\r\n$/);
    await remove(id);
  });

  test('stop at once, when the stop signal has ended it already', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['sleep', '100'], StopSignal: 'SIGKILL' }));
    for (let run = 0; run < 3; run++) {
      await host.containers.start(id, { signal });
      assert.equal(await host.containers.stop(id, { signal, seconds: 0, signalName: undefined }), true);
    }
    assert.equal(host.containers.inspect(id).State.ExitCode, 137);
    await remove(id);
  });

  test('stop, kill, start again, restart', async () => {
    const script = 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done';
    const { id } = await host.containers.create(host.request({ Cmd: ['sh', '-c', script] }));
    const state = () => host.containers.inspect(id).State;
    assert.equal(await host.containers.start(id, { signal }), true);
    assert.equal(await host.containers.start(id, { signal }), false);
    await assert.rejects(host.containers.remove(id, { signal, force: false, volumes: false }), {
      message:
        /^cannot remove container "\/.+": container is running: stop the container before removing or force remove$/,
    });
    await sleep(100);
    const how = { signal, seconds: undefined, signalName: undefined };
    assert.equal(await host.containers.stop(id, how), true);
    assert.equal(await host.containers.stop(id, how), false);
    assert.deepEqual([state().Status, state().ExitCode], ['exited', 3]);
    await host.containers.restart(id, how);
    await host.containers.restart(id, { ...how, seconds: 0 });
    const { exit } = host.containers.wait(id, 'next-exit', { signal });
    await host.containers.kill(id, 'KILL', { signal });
    assert.equal(await exit, 137);
    await assert.rejects(host.containers.kill(id, undefined, { signal }), { message: /is not running$/ });
    await remove(id);
  });

  test('stop: while its program takes its time, others go on with the container, and may end it', async () => {
    const Cmd = ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'];
    const { id } = await host.containers.create(host.request({ Cmd }, { RestartPolicy: { Name: 'always' } }));
    await host.containers.start(id, { signal });
    const patient = host.containers.stop(id, { seconds: 3_000_000, signalName: undefined, signal });
    await host.containers.rename(id, 'slow-to-end');
    await host.containers.update(id, { PidsLimit: 50 }, { signal });
    assert.equal(await host.containers.start(id, { signal }), false);
    assert.equal(await host.containers.stop(id, { seconds: 0, signalName: undefined, signal }), true);
    assert.equal(await patient, true);
    assert.equal(host.containers.inspect(id).State.Status, 'exited');
    await host.containers.start(id, { signal });
    const other = host.containers.stop(id, { seconds: -1, signalName: undefined, signal });
    await remove(id);
    assert.equal(await other, true);
  });

  test('restart: one that removes itself stays', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['sleep', '100'] }, { AutoRemove: true }));
    await host.containers.start(id, { signal });
    await host.containers.restart(id, { seconds: 0, signalName: undefined, signal });
    assert.equal(host.containers.inspect(id).State.Status, 'running');
    const { exit } = host.containers.wait(id, 'removed', { signal });
    await host.containers.kill(id, undefined, { signal });
    assert.equal(await exit, 137);
    assert.throws(() => host.containers.find(id), { kind: 'not-found' });
  });

  test('pause and unpause; a paused container is removed by force', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['sleep', '100'] }));
    await host.containers.start(id, { signal });
    await host.containers.pause(id, { signal });
    assert.match(
      host.containers.list({ all: false, limit: 0, filters: {}, ancestors: () => new Set() })[0]?.Status ?? '',
      /^Up .* \(Paused\)$/,
    );
    await host.containers.unpause(id, { signal });
    await host.containers.pause(id, { signal });
    await remove(id);
    assert.throws(() => host.containers.find(id));
  });

  test('restart policy: on-failure with a limit', async () => {
    const { id } = await host.containers.create(
      host.request({ Cmd: ['sh', '-c', 'exit 4'] }, { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } }),
    );
    await host.containers.start(id, { signal });
    while (host.containers.isBusy()) await sleep(50);
    const { RestartCount, State } = host.containers.inspect(id);
    assert.deepEqual([RestartCount, State.ExitCode], [2, 4]);
    await remove(id);
  });

  test('a container between two runs is neither paused nor removed without force; a start counts anew', async () => {
    const { id } = await host.containers.create(
      host.request({ Cmd: ['sh', '-c', 'exit 4'] }, { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 9 } }),
    );
    await host.containers.start(id, { signal });
    while (host.containers.inspect(id).State.Status !== 'restarting' || host.containers.inspect(id).RestartCount < 4)
      await sleep(20);
    await assert.rejects(host.containers.pause(id, { signal }), {
      kind: 'conflict',
      message: `Container ${id} is restarting, wait until the container is running`,
    });
    await assert.rejects(host.containers.remove(id, { volumes: false, force: false, signal }), {
      kind: 'conflict',
      message: /container is restarting: stop the container before removing or force remove$/,
    });
    await host.containers.stop(id, { seconds: 0, signalName: undefined, signal });
    await host.containers.start(id, { signal });
    assert.ok(host.containers.inspect(id).RestartCount < 4);
    await remove(id);
  });

  test('volumes: filled from the image, shared by name, anonymous ones go with their container', async () => {
    const first = await host.run(
      { Cmd: ['sh', '-c', 'cat /data/seed; echo two > /data/two'] },
      { Binds: ['vol:/data'] },
    );
    assert.equal(first.output, 'seed\n');
    const second = await host.run({ Cmd: ['sh', '-c', 'ls /data; echo > /data/x'] }, { Binds: ['vol:/data:ro'] });
    assert.match(second.output, /^seed\ntwo\n.*Read-only/s);
    const third = await host.run({ Cmd: ['ls', '/data', '/v'] }, {}, { Volumes: { '/data': {}, '/v': {} } });
    assert.match(third.output, /seed/);
    const [mount] = host.containers.inspect(third.id).Mounts;
    assert.ok(existsSync(mount?.Source ?? ''));
    for (const { id } of [first, second, third]) await remove(id);
    assert.equal(existsSync(mount?.Source ?? ''), false);
    assert.ok(existsSync(join(host.root, 'data/volumes/vol/_data/two')));
  });

  test('execs: output, exit code, user, missing program', async () => {
    const request = host.request({ Cmd: ['sleep', '100'], Env: ['A=1'] }, { OomScoreAdj: 321 });
    const { id } = await host.containers.create(request);
    await host.containers.start(id, { signal });
    const { execs } = host.containers;
    const container = host.containers.find(id);
    const run = async (Cmd: string[], more = {}) => {
      const exec = execs.create(container, { Cmd, AttachStdout: true, AttachStderr: true, ...more });
      const { output } = await execs.attach(exec, { signal });
      const text = unframed(await output.toArray());
      return [text, execs.inspect(exec).ExitCode];
    };
    assert.deepEqual(await run(['sh', '-c', 'id -u; echo $A $B; exit 5'], { User: 'user', Env: ['B=2'] }), [
      '1000\n1 2\n',
      5,
    ]);
    const [text, code] = await run(['nothing']);
    assert.match(String(text), /exec: "nothing": executable file not found in \$PATH/);
    assert.equal(code, 127);
    assert.deepEqual(await run(['sh', '-c', 'sleep 100 & echo started']), ['started\n', 0]);
    assert.deepEqual(await run(['cat', '/proc/self/oom_score_adj']), ['321\n', 0]);
    await remove(id);
    assert.throws(() => execs.create(container, { Cmd: ['true'] }), { message: /is not running$/ });
  });

  test('execs: the runtime waits from their creation, for a few and a while', async () => {
    const { id } = await host.containers.create(host.request({ Cmd: ['sh', '-c', 'sleep 100'] }));
    await host.containers.start(id, { signal });
    const { execs } = host.containers;
    const container = host.containers.find(id);
    const create = () => execs.create(container, { Cmd: ['sh', '-c', 'echo $PPID'], AttachStdout: true });
    const waiting = () => readdirSync(host.runFolder).length;
    const until = async (count: number) => {
      for (let i = 0; i < 400 && waiting() !== count; i++) await sleep(10);
      assert.equal(waiting(), count);
    };
    const start = async (exec: string) => {
      const { output } = await execs.attach(exec, { signal });
      return unframed(await output.toArray());
    };
    const [first = '', ...more] = Array.from({ length: 6 }, create);
    await until(4);
    assert.equal(await start(first), '0\n');
    await until(0); // given up
    for (const exec of more) assert.equal(await start(exec), '0\n');

    const paused = create();
    await until(1);
    await host.containers.pause(id, { signal });
    assert.match(await start(paused), /paused/);
    await host.containers.unpause(id, { signal });
    const across = create();
    await until(1);
    await host.containers.restart(id, { seconds: 0, signalName: undefined, signal });
    assert.equal(await start(across), '0\n');
    create();
    await until(1);
    await host.containers.remove(id, { force: true, volumes: true, signal });
    await until(0);
  });

  test('top and stats', { skip: existsSync('/bin/ps') ? false : 'needs ps' }, async () => {
    const { id } = await host.containers.create(
      host.request({ Cmd: ['sleep', '100'] }, { NetworkMode: 'bridge', Memory: 32 << 20 }),
    );
    await host.containers.start(id, { signal });
    const container = host.containers.find(id);
    const { Titles, Processes } = await processTable(container, host.cgroups, { psArgs: '', signal });
    assert.deepEqual([Titles.at(-1), Processes.map((row) => row.at(-1))], ['CMD', ['sleep 100']]);
    await assert.rejects(processTable(container, host.cgroups, { psArgs: '-o comm', signal }), {
      message: /PID field/,
    });
    const samples = containerStats(container, host.cgroups, { stream: false, oneShot: false, signal });
    const [only, more] = await gather(samples);
    assert.equal(more, undefined);
    assert.equal(only?.memory_stats.limit, 32 << 20);
    assert.ok((only?.cpu_stats.cpu_usage.total_usage ?? 0) > 0 && only?.preread !== '0001-01-01T00:00:00Z');
    assert.deepEqual(Object.keys(only?.networks ?? {}), ['eth0']);
    await remove(id);
  });

  test('health: starting, healthy, unhealthy', async () => {
    const check = { Test: ['CMD-SHELL', 'cat /tmp/ok'], Interval: 50e6, Retries: 2, Timeout: 5e9 };
    const { id } = await host.containers.create(
      host.request({
        Cmd: ['sh', '-c', 'echo yes > /tmp/ok; sleep 1; echo no; mv /tmp/ok /tmp/gone; sleep 100'],
        Healthcheck: check,
      }),
    );
    host.events.length = 0;
    await host.containers.start(id, { signal });
    assert.equal(host.containers.inspect(id).State.Health?.Status, 'starting');
    const seen = async (status: string) => {
      for (let i = 0; i < 100 && host.containers.inspect(id).State.Health?.Status !== status; i++) await sleep(50);
      assert.equal(host.containers.inspect(id).State.Health?.Status, status);
    };
    await seen('healthy');
    await host.containers.execs.runToEnd(
      host.containers.find(id),
      { Cmd: ['sh', '-c', ': > /tmp/x'] },
      { signal, outputLimit: 10 },
    );
    await host.containers.kill(id, undefined, { signal });
    await host.containers.wait(id, 'not-running', { signal }).exit;
    const after = host.containers.inspect(id).State.Health;
    assert.equal(after?.Status, 'unhealthy'); // as Docker says of a container that nobody checks any more
    assert.ok((after?.Log.length ?? 0) > 0);
    await remove(id);
    assert.ok(host.events.some(({ action }) => action === 'health_status: healthy'));
  });

  test('health: times that no timer takes', async () => {
    const Healthcheck = { Test: ['CMD', 'true'], Interval: 1e6, Timeout: 1_500_500_000 };
    const { id } = await host.containers.create(host.request({ Cmd: ['sleep', '100'], Healthcheck }));
    const status = () => host.containers.inspect(id).State.Health?.Status;
    await host.containers.start(id, { signal });
    for (let i = 0; i < 200 && status() !== 'healthy'; i++) await sleep(50);
    assert.equal(status(), 'healthy');
    await remove(id);
    const rare = { Test: ['CMD', 'true'], Interval: Number.MAX_SAFE_INTEGER };
    const other = await host.containers.create(host.request({ Cmd: ['sleep', '100'], Healthcheck: rare }));
    await host.containers.start(other.id, { signal });
    await sleep(50);
    assert.deepEqual(host.containers.inspect(other.id).State.Health?.Log, []);
    await remove(other.id);
  });

  test('health: a check that takes too long', async () => {
    const check = { Test: ['CMD', 'sleep', '9'], Interval: 50e6, Retries: 1, Timeout: 300e6 };
    const { id } = await host.containers.create(host.request({ Cmd: ['sleep', '100'], Healthcheck: check }));
    await host.containers.start(id, { signal });
    const health = () => host.containers.inspect(id).State.Health;
    for (let i = 0; i < 200 && health()?.Status !== 'unhealthy'; i++) await sleep(50);
    const { ExitCode, Output } = health()?.Log[0] ?? {};
    assert.deepEqual([ExitCode, Output], [-1, 'Health check exceeded timeout (300ms)']);
    await remove(id);
  });

  test('logs: tail, timestamps, follow, attach with what came before', async () => {
    const script = 'for i in 1 2 3; do echo line $i; done; sleep 0.2; echo oops >&2; sleep 0.2; echo last';
    const { id } = await host.containers.create(host.request({ Cmd: ['sh', '-c', script] }));
    await host.containers.start(id, { signal });
    const times = { since: undefined, until: undefined };
    const all = { stdout: true, stderr: true, timestamps: false, details: false, ...times, tail: undefined };
    const text = async (query: Parameters<typeof host.containers.logs>[1]) =>
      unframed(await host.containers.logs(id, query, { signal }).output.toArray());
    await sleep(100);
    const replayed = host.containers.attach(id, { ...STREAM, logs: true }, { signal }).output.toArray();
    assert.equal(await text({ ...all, follow: true, stderr: false }), 'line 1\nline 2\nline 3\nlast\n');
    assert.equal(unframed(await replayed).split('\n').length, 6);
    assert.equal(await text({ ...all, follow: false, tail: 2 }), 'oops\nlast\n');
    assert.equal(await text({ ...all, follow: false, tail: 0 }), '');
    assert.match(await text({ ...all, follow: false, tail: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT[\d:.]+Z last\n$/);
    assert.equal(await text({ ...all, follow: false, until: 1 }), '');
    const [line] = readFileSync(host.containers.inspect(id).LogPath, 'utf8').split('\n');
    assert.match(line ?? '', /^\{"log":"line 1\\n","stream":"stdout","time":"[^"]+Z"\}$/);
    await remove(id);
  });

  test('names: taken, renamed, free again; lists', async () => {
    const request = host.request({ Cmd: ['true'], Labels: { a: 'b' } });
    const { id } = await host.containers.create({ ...request, name: 'one' });
    await assert.rejects(host.containers.create({ ...request, name: 'one' }), {
      message: /^Conflict. The container name "\/one"/,
    });
    await assert.rejects(host.containers.create({ ...request, name: '-x' }), {
      message: /^Invalid container name \(-x\)/,
    });
    await host.containers.rename('one', 'two');
    assert.equal(host.containers.find('/two').id, id);
    assert.equal(host.containers.find(id.slice(0, 12)).id, id);
    const list = (filters: Record<string, string[]>) =>
      host.containers.list({ all: true, limit: 0, filters, ancestors: () => new Set() }).map((row) => row.Names[0]);
    assert.deepEqual(list({ name: ['^two$'] }), ['/two']);
    assert.deepEqual(list({ label: ['a=b'], status: ['created'] }), ['/two']);
    assert.deepEqual(list({ label: ['a=c'] }), []);
    assert.throws(() => list({ bogus: ['1'] }), { message: "invalid filter 'bogus'" });
    await remove('two');
  });

  const refusals: [string, ContainerConfig, HostConfig, RegExp | string][] = [
    ['nothing to run', {}, {}, 'no command specified'],
    ['too little memory', { Cmd: ['x'] }, { Memory: 1 << 20 }, 'Minimum memory limit allowed is 6MB'],
    ['relative target', { Cmd: ['x'] }, { Binds: ['/tmp:data'] }, /mount path must be absolute/],
    ['two mounts at a place', { Cmd: ['x'] }, { Binds: ['/tmp:/d', '/etc:/d'] }, 'Duplicate mount point: /d'],
    ['a host name without an address', { Cmd: ['x'] }, { ExtraHosts: ['a'] }, 'bad format for add-host: "a"'],
    ['a host name with another name', { Cmd: ['x'] }, { ExtraHosts: ['a:b'] }, 'invalid IP address in add-host: "b"'],
    ['unknown capability', { Cmd: ['x'] }, { CapAdd: ['NOPE'] }, /unknown capability/i],
  ];
  for (const [name, config, hostConfig, message] of refusals)
    test(`refused: ${name}`, async () => {
      const before = host.containers.all().length;
      await assert.rejects(host.containers.create(host.request(config, hostConfig)), { kind: 'invalid', message });
      assert.equal(host.containers.all().length, before);
      assert.equal(readdirSync(join(host.root, 'data/active')).length, before);
    });
});

test('a host that was killed leaves nothing behind that the next one does not clear up', { skip }, async () => {
  const script = `
    import { openTestHost, signal } from ${JSON.stringify(new URL('./test-host.ts', import.meta.url).href)};
    const host = await openTestHost({ root: process.argv[1] });
    const { id } = await host.containers.create(host.request({ Cmd: ['sh', '-c', 'echo > /x; sleep 1000'] }));
    await host.containers.start(id, { signal });
    const pid = host.containers.inspect(id).State.Pid;
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.stdout.write(id + ' ' + pid, () => process.kill(process.pid, 'SIGKILL'));
  `;
  await using scratch = makeScratchFolder(realpathSync(tmpdir()), 'killed');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, scratch.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [id = '', pid] = (await child.stdout.toArray()).join('').split(' ');
  assert.ok(mountsUnder(scratch.path).length > 0);
  await using host = await openTestHost({ root: scratch.path });
  assert.deepEqual(mountsUnder(scratch.path), []);
  const { State } = host.containers.inspect(id);
  assert.deepEqual([State.Status, State.ExitCode], ['exited', 137]);
  assert.deepEqual(readdirSync(host.containers.find(id).snapshot.upper), ['x']);
  assert.equal(existsSync(`/proc/${pid}/exe`), false);
  await host.containers.start(id, { signal });
  await host.containers.remove(id, { signal, force: true, volumes: true });
});
