/** Much data through attach and logs, slow clients and clients that go away. STRAKE_TEST_MIB says how much, in MiB. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { importBusybox, run, STRAKE, startHost, type TestHost } from './harness.ts';

const MIB = Number(process.env['STRAKE_TEST_MIB'] ?? 48);
let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** The digest of what a shell pipeline prints; `$STRAKE` and `$DOCKER` are the clients. */
async function digest(pipeline: string): Promise<string> {
  const env = {
    STRAKE,
    DOCKER: `docker -H unix://${host.socket}`,
    DOCKER_HOST: `unix://${host.socket}`,
    STRAKE_HOST: '',
  };
  const { code, stdout, stderr } = await run('bash', ['-o', 'pipefail', '-c', `${pipeline} | sha256sum`], { env });
  assert.equal(code, 0, stderr);
  return stdout.slice(0, 64);
}

/** Memory of the host in MiB. */
function resident(): number {
  const status = readFileSync(`/proc/${host.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

for (const client of ['$STRAKE', '$DOCKER']) {
  test(`${client}: ${MIB} MiB in and out again`, async () => {
    const data = join(host.folder, 'bytes');
    await run('dd', ['if=/dev/urandom', `of=${data}`, 'bs=1M', `count=${MIB}`]);
    assert.equal(await digest(`${client} run -i --rm busybox cat < ${data}`), await digest(`cat ${data}`));
  });
}

test(`${MIB} MiB of lines in the log, none lost, and followed to the end`, async () => {
  const lines = MIB * 10_000;
  const tail = 'x'.repeat(95);
  const written = `seq ${lines} | sed s/$/${tail}/`;
  const expected = await digest(written);
  await host.ok(['run', '-d', '--name', 'lines', 'busybox', 'sh', '-c', written]);
  assert.equal(await digest('$STRAKE logs -f lines'), expected);
  assert.equal(await host.ok(['wait', 'lines']), '0');
  assert.equal(await digest('$DOCKER logs lines'), expected);
  assert.equal(await host.ok(['logs', '--tail', '2', 'lines']), `${lines - 1}${tail}\n${lines}${tail}`);
  await host.ok(['rm', 'lines']);
});

test('a client that pauses loses nothing', async () => {
  const lines = 1_000_000;
  const expected = await digest(`seq ${lines}`);
  assert.equal(await digest(`$STRAKE run --rm busybox seq ${lines} | (sleep 2; cat)`), expected);
});

test('a reader that comes late gets the end of the output too', async () => {
  const output = `yes ${'x'.repeat(31)} | head -c 100000`; // more than a pipe holds
  const expected = await digest(`{ yes ${'x'.repeat(31)} || :; } | head -c 100000`);
  await host.ok(['run', '-d', '--name', 'late', 'busybox', 'sh', '-c', `${output}; sleep 1000`]);
  const inspect = `image inspect${' busybox'.repeat(100)}`;
  const inspected = await host.ok(inspect.split(' '));
  assert.ok(inspected.length > 70_000);
  const commands: readonly [command: string, expected: string][] = [
    [`run --rm busybox sh -c '${output}'`, expected],
    [`exec late sh -c '${output}'`, expected],
    ['logs late', expected],
    [inspect, createHash('sha256').update(`${inspected}\n`).digest('hex')],
  ];
  const digests = commands.map(([command]) => digest(`$STRAKE ${command} | (sleep 1.5; cat)`));
  assert.deepEqual(
    await Promise.all(digests),
    commands.map(([, expected]) => expected),
  );
  await host.ok(['rm', '-f', 'late']);
});

test('a client that goes away does not end its container, one that comes gets the rest', async () => {
  const env = { ...process.env, DOCKER_HOST: `unix://${host.socket}`, STRAKE_HOST: '' };
  const script = 'for i in 1 2 3 4 5 6; do echo $i; seq 10000; sleep 0.3; done; echo end';
  const child = spawn(STRAKE, ['run', '--name', 'left', 'busybox', 'sh', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const gone = once(child, 'close');
  child.kill('SIGKILL');
  await gone;
  await sleep(100);
  assert.equal(await host.inspect('left', '{{.State.Running}}'), 'true');
  const rest = await host.ok(['attach', 'left']);
  assert.match(rest, /end$/);
  assert.equal(await host.ok(['wait', 'left']), '0');
  assert.equal((await host.ok(['logs', 'left'])).split('\n').length, 60_007);
  await host.ok(['rm', 'left']);
});

test('readers that stop reading hold nobody up, and the host does not grow', async () => {
  const lines = 600_000; // 60 MB
  const script = `read go; yes ${'x'.repeat(99)} | head -n ${lines}`;
  await host.ok(['run', '-d', '-i', '--name', 'quick', 'busybox', 'sh', '-c', script]);
  const stuck = ['containers/quick/logs?follow=1&stdout=1', 'events', 'containers/quick/stats'].map((path) => {
    const socket = connect(host.socket);
    socket.write(`GET /v1.41/${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return socket; // nobody ever reads
  });
  try {
    const before = resident();
    const followed = digest('$STRAKE logs -f quick');
    const started = run('sh', ['-c', `echo | docker -H unix://${host.socket} attach quick | wc -c`]);
    assert.equal(await host.ok(['wait', 'quick']), '0', 'the container ended');
    assert.equal((await started).stdout.trim(), String(lines * 100));
    assert.equal(await followed, await digest(`{ yes ${'x'.repeat(99)} || :; } | head -n ${lines}`));
    assert.ok(resident() - before < 50, `${resident()} MiB, ${before} before`);
  } finally {
    for (const socket of stuck) socket.destroy();
  }
  await host.ok(['rm', 'quick']);
});
