import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../lib/run-program.ts';
import { makeScratchFolder, type ScratchFolder } from '../lib/scratch.ts';
import { detectCgroups, processesIn, readCgroupStats, removeCgroup } from './cgroup.ts';
import { listenForTerminal } from './console-socket.ts';
import { findRuntime } from './find-runtime.ts';
import { inputPipe, outputPipe } from './pipes.ts';
import { becomeReaper, waitForExit } from './reaper.ts';
import { Runtime } from './runtime.ts';
import type { ProgramStdio } from './spawn-program.ts';
import { processSpec } from './spec.ts';
import { Terminal } from './terminal.ts';
import { writeTestBundle } from './test-bundle.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = new AbortController().signal;
const silent: ProgramStdio = ['ignore', 'ignore', 'ignore'];

describe('containers of the OCI runtime', { skip }, () => {
  const cgroups = detectCgroups();
  let scratch: ScratchFolder;
  let runtime: Runtime;
  let reaper: Disposable;
  let count = 0;
  before(async () => {
    scratch = makeScratchFolder(tmpdir(), 'runtime');
    reaper = becomeReaper();
    runtime = new Runtime(
      () => findRuntime(join(scratch.path, 'memory'), { signal }),
      join(scratch.path, 'state'),
      cgroups,
    );
  });
  after(async () => {
    reaper[Symbol.dispose]();
    await removeCgroup(cgroups, '/strake-test');
    await scratch[Symbol.asyncDispose]();
  });
  const bundle = (args: string[], changes: Parameters<typeof writeTestBundle>[2] = {}) => {
    const folder = makeScratchFolder(scratch.path, 'b');
    writeTestBundle(folder.path, args, changes);
    return { folder: folder.path, id: `c${process.pid}-${count++}`, cgroup: `/strake-test/${basename(folder.path)}` };
  };
  const finish = async (id: string, cgroup: string) => {
    await runtime.remove(id, cgroup, { signal });
    assert.deepEqual(runtime.list(), []);
    assert.deepEqual(processesIn(cgroups, cgroup), []);
    if (cgroups.unused === undefined) return;
    // Nor where a mount hides it.
    const below = ['-m', 'sh', '-c', 'umount "$1" && test ! -e "$1$2"', 'sh', cgroups.unused, cgroup];
    assert.equal((await runProgram('unshare', below, { signal })).exitCode, 0);
  };

  test('output and exit code, even when it ends before it is waited for', async () => {
    const { folder, id, cgroup } = bundle(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    using out = outputPipe();
    using err = outputPipe();
    const pid = await runtime.run({
      id,
      program: 'x',
      bundle: folder,
      stdio: ['ignore', out.fd, err.fd],
      signal,
    });
    out[Symbol.dispose]();
    err[Symbol.dispose]();
    await sleep(100);
    assert.deepEqual(await waitForExit(pid), { exitCode: 7, signal: undefined });
    assert.equal((await out.stream.toArray()).join(''), 'out\n');
    assert.equal((await err.stream.toArray()).join(''), 'err\n');
    await finish(id, cgroup);
    assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'root']);
    await assert.rejects(waitForExit(pid), { code: 'EXIT_UNKNOWN' });
  });

  test('a signal is exit code 128 + n; exec runs beside', async () => {
    const { folder, id, cgroup } = bundle(['sleep', '100']);
    const pid = await runtime.run({ id, program: 'x', bundle: folder, stdio: silent, signal });
    const ended = waitForExit(pid);
    using input = inputPipe();
    using out = outputPipe();
    const process_ = processSpec({
      args: ['sh', '-c', 'cat; id -u; exit 3'],
      env: ['PATH=/bin'],
      cwd: '/tmp',
      user: { uid: 5, gid: 6, additionalGids: [] },
      terminal: false,
      capabilities: [],
      ulimits: [],
      noNewPrivileges: true,
      oomScoreAdj: 0,
    });
    writeFileSync(join(folder, 'process.json'), JSON.stringify(process_));
    const stdio = [input.fd, out.fd, out.fd] as const;
    const second = await runtime.exec({ id, program: 'x', bundle: folder, stdio, signal });
    input[Symbol.dispose]();
    out[Symbol.dispose]();
    assert.deepEqual(processesIn(cgroups, cgroup).includes(second), true);
    input.stream.end('hello\n');
    assert.equal((await out.stream.toArray()).join(''), 'hello\n5\n');
    assert.equal((await waitForExit(second)).exitCode, 3);
    writeFileSync(join(folder, 'process.json'), JSON.stringify({ ...process_, args: ['none'] }));
    await assert.rejects(runtime.exec({ id, program: 'none', bundle: folder, stdio: silent, signal }), {
      exitCode: 127,
      message: /^OCI runtime exec failed: exec failed: .*exec: "none": executable file not found in \$PATH: unknown$/,
    });
    process.kill(pid, 'SIGKILL');
    assert.deepEqual(await ended, { exitCode: 137, signal: 9 });
    await finish(id, cgroup);
  });

  test('an exec prepared before its start: started, unable to start, given up, without its container', async () => {
    const { folder, id, cgroup } = bundle(['sleep', '100']);
    const ended = waitForExit(await runtime.run({ id, program: 'x', bundle: folder, stdio: silent, signal }));
    const prepare = (stdio: ProgramStdio = silent) => runtime.prepareExec({ id, bundle: folder, stdio });
    const document = (args: readonly string[]) =>
      processSpec({
        args,
        env: ['PATH=/bin', `LONG=${'x'.repeat(100_000)}`], // more than a pipe holds
        cwd: '/',
        user: { uid: 0, gid: 0, additionalGids: [] },
        terminal: false,
        capabilities: [],
        ulimits: [],
        noNewPrivileges: true,
        oomScoreAdj: 0,
      });
    const files = () => readdirSync(folder).filter((name) => !['config.json', 'root', 'runtime.log'].includes(name));
    {
      using out = outputPipe();
      await using prepared = await prepare(['ignore', out.fd, 'ignore']);
      assert.deepEqual([processesIn(cgroups, cgroup).length, prepared.hasEnded, files()], [1, false, []]);
      const pid = await prepared.start(
        document(['sh', '-c', 'echo $LONG | busybox wc -c; echo /proc/self/fd/*; exit 3']),
        'sh',
      );
      out[Symbol.dispose]();
      assert.equal(
        (await out.stream.toArray()).join(''),
        '100001\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n',
      );
      assert.equal((await waitForExit(pid)).exitCode, 3);
    }
    {
      await using prepared = await prepare();
      await assert.rejects(prepared.start(document(['none']), 'none'), { exitCode: 127, message: /exec: "none": / });
    }
    {
      await using prepared = await prepare();
      await prepared[Symbol.asyncDispose]();
      assert.deepEqual([processesIn(cgroups, cgroup).length, prepared.hasEnded, files()], [1, true, []]);
    }
    process.kill(processesIn(cgroups, cgroup)[0] ?? 0, 'SIGKILL');
    await ended;
    await using prepared = await prepare();
    await assert.rejects(prepared.start(document(['true']), 'true'), { code: 'CONTAINER_START', exitCode: 128 });
    await finish(id, cgroup);
  });

  test('a terminal: input, output, size, end', async () => {
    const { folder, id, cgroup } = bundle(['sh', '-c', 'stty size; read x; echo "got $x"'], { terminal: true });
    using console_ = listenForTerminal(join(scratch.path, 'c.sock'), { signal });
    const pid = await runtime.run({
      id,
      program: 'x',
      bundle: folder,
      stdio: silent,
      consoleSocket: console_.path,
      signal,
    });
    const terminal = new Terminal(await console_.terminal);
    terminal.resize(24, 80);
    terminal.write('hello\n');
    let text = '';
    for await (const chunk of terminal) text += chunk;
    assert.match(text, /hello\r\n/);
    assert.match(text, /got hello\r\n$/);
    assert.equal((await waitForExit(pid)).exitCode, 0);
    await finish(id, cgroup);
  });

  for (const [args, exitCode, message] of [
    [['/none'], 127, /^OCI runtime create failed: .*exec: "\/none": stat \/none: no such file or directory: unknown$/],
    [['none'], 127, /exec: "none": executable file not found in \$PATH: unknown$/],
    [['/etc'], 126, /exec: "\/etc": .*(permission denied|is a directory): unknown$/],
  ] as const)
    test(`${args[0]} cannot be started: ${exitCode}`, async () => {
      const { folder, id } = bundle([...args]);
      await assert.rejects(runtime.run({ id, program: args[0], bundle: folder, stdio: silent, signal }), {
        exitCode,
        message,
      });
      assert.deepEqual(runtime.list(), []);
    });

  test('limits are enforced and measured; pause, resume, update', async () => {
    const limits = { memory: 16 << 20, memorySwap: 16 << 20, pids: 20, cpuQuota: 50_000, cpuPeriod: 100_000 };
    const { folder, id, cgroup } = bundle(['sleep', '100'], { spec: { resources: limits } });
    const pid = await runtime.run({ id, program: 'x', bundle: folder, stdio: silent, signal });
    const ended = waitForExit(pid);
    const stats = readCgroupStats(cgroups, cgroup);
    assert.equal(stats.memory?.limit, 16 << 20);
    assert.deepEqual(stats.pids, { current: 1, limit: 20 });
    assert.ok((stats.cpu?.total ?? 0) > 0);
    await runtime.update(id, { memory: 32 << 20, memorySwap: 32 << 20 }, { signal });
    assert.equal(readCgroupStats(cgroups, cgroup).memory?.limit, 32 << 20);
    await runtime.pause(id, { signal });
    await runtime.resume(id, { signal });
    process.kill(pid, 'SIGKILL');
    await ended;
    await finish(id, cgroup);
  });

  test('a container in any state is removed by force', async () => {
    const { folder, id, cgroup } = bundle(['sleep', '100']);
    const ended = waitForExit(await runtime.run({ id, program: 'x', bundle: folder, stdio: silent, signal }));
    await runtime.forceRemove(id, { signal });
    assert.equal((await ended).exitCode, 137);
    await finish(id, cgroup);
  });
});
