/** The host as a program (mission rows H1, H3): starts by itself, leaves when idle, chosen by flag or environment. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import {
  freePort,
  importBusybox,
  kernelLeftovers,
  leftovers,
  run,
  STRAKE,
  startHost,
  storeProblems,
  until,
} from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-host-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let number = 0;
/** A place for a host of its own, and the environment that names it. */
function place() {
  const own = join(folder, String(++number));
  mkdirSync(own);
  const socket = join(own, 'host.sock');
  const root = join(own, 'data');
  return { own, socket, root, env: { STRAKE_HOST: `unix://${socket}`, STRAKE_ROOT: root, DOCKER_HOST: '' } };
}

/** Pids of hosts whose data root is below this test's folder. */
async function hosts(): Promise<number[]> {
  const { stdout } = await run('sh', [
    '-c',
    `grep -lz '${folder}/[0-9]*/data' /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3 || true`,
  ]);
  const pids = stdout.split('\n').filter(Boolean).map(Number);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('host.js');
    } catch {
      return false;
    }
  });
}

afterEach(async () => {
  for (const pid of await hosts()) process.kill(pid, 'SIGTERM');
  await until(async () => (await hosts()).length === 0, 20);
  assert.deepEqual(leftovers(folder), []);
});

test('H3: the first command on a fresh machine starts the host; the next ones find it', async () => {
  const { env, root, socket } = place();
  const first = await run(STRAKE, ['images'], { env });
  assert.deepEqual(first, { code: 0, stdout: 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n', stderr: '' });
  const [pid] = await hosts();
  assert.ok(pid && existsSync(socket) && existsSync(join(root, 'strake.db')));
  assert.equal((await run(STRAKE, ['ps'], { env })).code, 0);
  assert.deepEqual(await hosts(), [pid]);
});

test('H3: twelve commands at once start one host, and all are answered', async () => {
  const { env } = place();
  const results = await Promise.all(Array.from({ length: 12 }, () => run(STRAKE, ['images', '-q'], { env })));
  assert.deepEqual([...new Set(results.map(({ code, stderr }) => `${code} ${stderr}`))], ['0 ']);
  await until(async () => (await hosts()).length === 1);
});

test('H3: a host that was killed is replaced, its stale socket too', async () => {
  const { env, socket } = place();
  await run(STRAKE, ['images'], { env });
  const [pid = 0] = await hosts();
  process.kill(pid, 'SIGKILL');
  await until(async () => (await hosts()).length === 0);
  assert.ok(existsSync(socket));
  assert.equal((await run(STRAKE, ['images'], { env })).code, 0);
});

test('H3: build on a fresh machine needs no step before it', async () => {
  const { env } = place();
  const built = await run(STRAKE, ['build', '-q', '-'], { env, input: 'FROM scratch\nCMD ["x"]\n' });
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stdout, /^sha256:[0-9a-f]{64}\n$/);
});

test('a host that cannot start: the command says why', async () => {
  const { own, env } = place();
  writeFileSync(join(own, 'data'), 'a file');
  const result = await run(STRAKE, ['images'], { env });
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`${own}/data`));
  assert.doesNotMatch(result.stderr, /\n\s+at /);
});

test('a host that was named and is not there is not started when it is elsewhere', async () => {
  const env = { STRAKE_HOST: '', STRAKE_ROOT: '' };
  for (const address of ['tcp://127.0.0.1:9', `unix://${folder}/docker.sock`, `unix://${folder}/none.sock`]) {
    const words = `Cannot connect to the Docker daemon at ${address}. Is the docker daemon running?`;
    for (const more of [{ DOCKER_HOST: address }, { STRAKE_HOST: address }]) {
      const result = await run(STRAKE, ['images'], { env: { ...env, ...more } });
      assert.equal(result.code, 1, address);
      assert.equal(result.stderr.split('\n')[0], words);
    }
  }
});

test('--idle-exit: the host leaves when nothing was asked for so long, not while a container runs, and takes its socket along', async () => {
  const { own } = place();
  await using host = await startHost({ folder: own, flags: ['--idle-exit=1'] });
  await importBusybox(host);
  await host.ok(['run', '-d', '--name', 'busy', 'busybox', 'sleep', '3']);
  const from = Date.now();
  await until(() => host.process.exitCode !== null, 20);
  const lasted = Date.now() - from;
  assert.ok(lasted >= 3000, `left after ${lasted} ms while a container was running`);
  assert.equal(host.process.exitCode, 0);
  assert.ok(!existsSync(host.socket));
});

test('the socket is for its owner and group alone', async () => {
  const { own } = place();
  await using host = await startHost({ folder: own });
  assert.equal(statSync(host.socket).mode & 0o007, 0);
  assert.equal(statSync(host.dataRoot).mode & 0o022, 0);
});

test('-H goes before STRAKE_HOST, STRAKE_HOST before DOCKER_HOST', async () => {
  const [one, two, three] = [place(), place(), place()];
  await using first = await startHost({ folder: one.own });
  await using second = await startHost({ folder: two.own });
  await using third = await startHost({ folder: three.own });
  const root = async (args: string[], env: Record<string, string>) => {
    const answer = await run(STRAKE, [...args, 'info', '--format', '{{.DockerRootDir}}'], {
      env: { STRAKE_HOST: '', STRAKE_ROOT: '', DOCKER_HOST: '', ...env },
    });
    return answer.stdout.trim();
  };
  const [a, b, c] = [first, second, third].map(({ socket }) => `unix://${socket}`);
  assert.equal(await root(['-H', `${a}`], { STRAKE_HOST: `${b}`, DOCKER_HOST: `${c}` }), first.dataRoot);
  assert.equal(await root([], { STRAKE_HOST: `${b}`, DOCKER_HOST: `${c}` }), second.dataRoot);
  assert.equal(await root([], { DOCKER_HOST: `${c}` }), third.dataRoot);
});

test('a running host with another data root than the one that is asked for: the command says so', async () => {
  const { own } = place();
  await using host = await startHost({ folder: own });
  const result = await host.strake(['--data-root', '/somewhere/else', 'images']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`has data root ${host.dataRoot}, not /somewhere/else`));
});

test('H1: TCP beside the unix socket', async () => {
  const { own } = place();
  const address = `tcp://127.0.0.1:${await freePort()}`;
  await using host = await startHost({ folder: own, flags: ['-H', address] });
  const overTcp = await run(STRAKE, ['-H', address, 'info', '--format', '{{.DockerRootDir}}']);
  assert.equal(overTcp.stdout.trim(), host.dataRoot);
});

/** Hands a socket that listens at the path of its first argument to a host, as systemd does; the third is its script. */
const HAND_OVER = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:4] + sys.argv[6:])`; // without the words "strake host"

test('fd://: a socket of systemd is answered, no container has it, and it stays when the host ends', async () => {
  const { socket } = place();
  const through = ['python3', '-c', HAND_OVER, socket, process.execPath, join(dirname(STRAKE), '../dist/host.js')];
  await using host = await startHost({ through, flags: ['-H', 'fd://'] });
  const ping = await run('curl', ['-fsS', '--unix-socket', socket, 'http://host/_ping']);
  assert.equal(ping.stdout, 'OK', ping.stderr);
  await importBusybox(host);
  assert.equal(await host.sh('busybox', 'ls -l /proc/self/fd | grep -c socket; env | grep -c LISTEN; true'), '0\n0');
  await host.stop();
  assert.ok(existsSync(socket));
});

test('SIGTERM ends the host with its containers and leaves nothing; what was built is there at the next start', async () => {
  const { own } = place();
  await using host = await startHost({ folder: own });
  await importBusybox(host);
  const program = 'trap "exit 0" TERM; sleep 1000 & wait';
  await host.ok([
    'run',
    '-d',
    '--name',
    'running',
    '-p',
    `127.0.0.1:${await freePort()}:80`,
    'busybox',
    'sh',
    '-c',
    program,
  ]);
  const building = host.strake(['build', '-'], { input: 'FROM busybox\nRUN echo begun; sleep 1000\n' });
  await until(async () => (await run('sh', ['-c', 'ps -eo args | grep -c "^sleep 1000$"'])).stdout.trim() === '2', 20);
  assert.notDeepEqual(leftovers(own), [], 'the check sees no mount of a running host');
  assert.ok(kernelLeftovers(host.dataRoot).length > 3, 'the check sees no interface and no rule of a running host');
  const from = Date.now();
  await host.stop();
  assert.ok(Date.now() - from < 15_000, 'took too long');
  assert.equal(host.process.exitCode, 0);
  assert.notEqual((await building).code, 0);
  assert.deepEqual(leftovers(own), []);
  assert.deepEqual(await storeProblems(host.dataRoot), []);
  assert.ok(!existsSync(host.socket));
  await host.restart();
  assert.match(await host.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}']), /running exited/);
  assert.match(await host.ok(['images']), /busybox/);
});

test('a host stays small: under 250 MB after some work', async () => {
  const { own } = place();
  await using host = await startHost({ folder: own });
  await importBusybox(host);
  for (let round = 0; round < 10; round++)
    await host.build('work', `FROM busybox\nRUN echo ${round} > /f\nRUN head -c 20000000 /dev/zero > /g\n`);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${host.process.pid}/status`, 'utf8'))?.[1];
  assert.ok(Number(peak) < 250_000, `${peak} kB`);
});
