/** Published ports in all their forms, and that nothing of containers and networks stays behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { globalAgent } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { freePort, importBusybox, run, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  await host.build('web', 'FROM busybox\nRUN mkdir /www && echo hello > /www/index.html\nEXPOSE 80 81/udp\n');
});
after(() => host[Symbol.asyncDispose]());
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
});

const SERVE = ['httpd', '-f', '-p', '80', '-h', '/www'];

/** Starts the server with these flags; what `port` says of it. */
async function serve(...flags: string[]): Promise<string[]> {
  await host.ok(['run', '-d', '--name', 'web', ...flags, 'web', ...SERVE]);
  return (await host.ok(['port', 'web'])).split('\n').filter(Boolean).sort();
}

async function answersAt(address: string): Promise<boolean> {
  return (await run('curl', ['-fsS', '-m', '5', `http://${address}/`])).stdout === 'hello\n';
}

test('the forms of -p', async (t) => {
  const port = await freePort('0.0.0.0');
  const rows: [flags: string[], shown: RegExp][] = [
    [['-p', `${port}:80`], new RegExp(`^80/tcp -> 0\\.0\\.0\\.0:${port} 80/tcp -> \\[::\\]:${port}$`)],
    [['-p', `127.0.0.1:${port}:80/tcp`], new RegExp(`^80/tcp -> 127\\.0\\.0\\.1:${port}$`)],
    [['-p', '127.0.0.1::80'], /^80\/tcp -> 127\.0\.0\.1:\d+$/],
    [['-p', '80'], /^80\/tcp -> 0\.0\.0\.0:(\d+) 80\/tcp -> \[::\]:\1$/],
    [['-p', `[::1]:${port}:80`], new RegExp(`^80/tcp -> \\[::1\\]:${port}$`)],
    [['-p', `127.0.0.1:${port}-${port + 20}:80`], /^80\/tcp -> 127\.0\.0\.1:\d+$/],
    [
      ['-p', '127.0.0.1::80-82'],
      /^80\/tcp -> 127\.0\.0\.1:\d+ 81\/tcp -> 127\.0\.0\.1:\d+ 82\/tcp -> 127\.0\.0\.1:\d+$/,
    ],
    [['-p', `published=${port},target=80`], new RegExp(`^80/tcp -> 0\\.0\\.0\\.0:${port} `)],
    [['-P'], /^80\/tcp -> 0\.0\.0\.0:\d+ 80\/tcp -> \[::\]:\d+ 81\/udp -> 0\.0\.0\.0:\d+ 81\/udp -> \[::\]:\d+$/],
  ];
  for (const [flags, shown] of rows)
    await t.test(flags.join(' '), async () => {
      const ports = await serve(...flags);
      assert.match(ports.join(' '), shown);
      const first = ports[0]?.split(' -> ')[1] ?? '';
      await until(() => answersAt(first.replace('0.0.0.0', '127.0.0.1')));
      await host.ok(['rm', '-f', 'web']);
      assert.equal(await answersAt(first.replace('0.0.0.0', '127.0.0.1')), false, 'free again');
    });
});

test('a published port from another network', async () => {
  await serve('-p', '80');
  const port = (await host.inspect('web', '{{(index .NetworkSettings.Ports "80/tcp" 0).HostPort}}')).trim();
  await host.ok(['network', 'create', 'other']);
  const gateway = await host.inspect('other', '{{(index .IPAM.Config 0).Gateway}}');
  const from = ['run', '--rm', '--network', 'other', 'busybox', 'wget', '-qO-'];
  assert.equal(await host.ok([...from, `http://${gateway}:${port}/`]), 'hello');
  await host.ok(['network', 'rm', 'other']);
});

/** Raw packets, because the kernel that runs the test may have no SCTP: the first of an association, with its CRC32c. */
const SCTP = `
import socket, struct, sys
def crc(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8): value = (value >> 1) ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
if sys.argv[1] == 'send':
    head = struct.pack('!HHI', 1234, int(sys.argv[3]), 0)
    chunk = struct.pack('!BBHIIHHI', 1, 0, 20, 7, 65536, 1, 1, 1)
    raw.sendto(head + struct.pack('<I', crc(head + bytes(4) + chunk)) + chunk, (sys.argv[2], 0))
else:
    raw.settimeout(20)
    print('ready', flush=True)
    packet = raw.recv(2048)
    print(struct.unpack('!H', packet[22:24])[0], flush=True)
`;

test('SCTP is published by packet rules: what arrives from outside gets to the container', async () => {
  const ports = await serve('-p', '80/sctp', '--expose', '9/sctp');
  assert.match(ports.join(' '), /^80\/sctp -> 0\.0\.0\.0:\d+$/);
  const [port = ''] = /\d+$/.exec(ports[0] ?? '') ?? [];
  assert.match(await host.ok(['ps']), /9\/sctp/);
  const taken = await host.strake(['run', '--rm', '-p', `127.0.0.2:${port}:80/sctp`, 'web', 'true']);
  assert.match(taken.stderr, /would be served to nobody/);
  const again = await host.strake(['run', '--rm', '-p', `${port}:80/sctp`, 'web', 'true']);
  assert.match(again.stderr, new RegExp(`Bind for 0\\.0\\.0\\.0:${port} failed: port is already allocated`));
  await host.ok(['run', '--rm', '-p', '127.0.0.1::80/tcp', 'web', 'true']); // numbers of other protocols are others

  await host.ok(['network', 'create', 'far']);
  await host.ok(['run', '-d', '--name', 'client', '--network', 'far', 'busybox', 'sleep', '1000']);
  const gateway = await host.inspect('far', '{{(index .IPAM.Config 0).Gateway}}');
  const inside = async (name: string, ...args: string[]) => {
    const pid = await host.inspect(name, '{{.State.Pid}}');
    return spawn('nsenter', ['-t', pid, '-n', '/usr/bin/python3', '-c', SCTP, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };
  const receiver = await inside('web', 'receive');
  let said = '';
  receiver.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(receiver, 'close');
  await until(() => said === 'ready\n');
  await once(await inside('client', 'send', gateway, port), 'close');
  await ended;
  assert.equal(said, 'ready\n80\n');
  await host.ok(['rm', '-f', 'client']);
  await host.ok(['network', 'rm', 'far']);
});

test('a port that is taken', async () => {
  const [shown = ''] = await serve('-p', '80');
  const port = shown.split(':').at(-1) ?? '';
  const second = await host.strake(['run', '--name', 'second', '-p', `${port}:80`, 'web', 'true']);
  assert.equal(second.code, 125);
  assert.match(
    second.stderr,
    new RegExp(
      `driver failed programming external connectivity on endpoint second \\([0-9a-f]{64}\\): Bind for 0\\.0\\.0\\.0:${port} failed: port is already allocated`,
    ),
  );
  assert.equal(await host.inspect('second', '{{.State.Status}}'), 'created');
  await using server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const third = await host.strake(['run', '--rm', '-p', `127.0.0.1:${address.port}:80`, 'web', 'true']);
  assert.equal(third.code, 125);
  assert.match(third.stderr, new RegExp(`listen tcp 127\\.0\\.0\\.1:${address.port}: bind: address already in use`));
  for (const wrong of ['80:', '1.2.3:80:80', '99999:80', '80-79:80', '1-3:80-81', '80/xyz'])
    assert.equal((await host.strake(['run', '--rm', '-p', wrong, 'web', 'true'])).code, 125, wrong);
});

/** What grows when something is left behind. */
function holdings(): Record<string, number> {
  const lines = (file: string, wanted: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(wanted)).length;
  const count = (path: string) => (existsSync(path) ? readdirSync(path).length : 0);
  const pid = String(host.process.pid);
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return / \S+ (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\)/, ''))?.[1] === pid;
    } catch {
      return false; // gone meanwhile
    }
  });
  return {
    children: children.length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mounts: lines(`/proc/${pid}/mountinfo`, host.dataRoot),
    ...Object.fromEntries(
      ['active', 'containers', 'layers', 'network', 'tmp', 'trash', 'volumes'].map((name) => [
        name,
        count(join(host.dataRoot, name)),
      ]),
    ),
  };
}

/** Interfaces and packet rules of the host, by the marks of its networks. */
async function kernelObjects(): Promise<number> {
  const [links, rules] = await Promise.all([run('ip', ['-o', 'link']), run('iptables-save', [])]);
  const tag = /STRAKE-[0-9a-f]+-/;
  const own = await host.inspect('busy', '{{.Id}}');
  const bridge = `sk-${own.slice(0, 12)}`;
  const chain = rules.stdout.split('\n').find((line) => line.includes(`-i ${bridge} `));
  const mark = tag.exec(chain ?? '')?.[0];
  assert.ok(mark, rules.stdout);
  return [
    ...links.stdout.split('\n').filter((line) => line.includes(bridge)),
    ...rules.stdout.split('\n').filter((line) => line.includes(mark)),
  ].length;
}

test('fifty containers one after the other and twenty at once leave nothing', async () => {
  const docker = new Docker({ socketPath: host.socket });
  await host.ok(['network', 'create', 'busy']);
  const once = async () => {
    const container = await docker.createContainer({
      Image: 'web',
      Cmd: ['nslookup', 'nosuch.busy'],
      Volumes: { '/data': {} },
      HostConfig: { NetworkMode: 'busy', PublishAllPorts: true, AutoRemove: true },
    });
    const removed = container.wait({ condition: 'removed' });
    await container.start();
    await removed;
  };
  const twenty = () => Promise.all(Array.from({ length: 20 }, once));
  await twenty(); // threads that are started when they are needed first
  const settle = async () => {
    globalAgent.destroy(); // connections that are kept for the next request
    await until(() => holdings()['trash'] === 0 && holdings()['children'] === 0, 60);
    // Namespaces are let go a moment after the last container has.
    let last: number | undefined;
    await until(async () => {
      const seen = last;
      last = holdings()['descriptors'];
      if (seen !== last) await sleep(1500);
      return seen === last;
    }, 60);
  };
  await settle();
  const before = { holdings: holdings(), kernel: await kernelObjects() };
  for (let round = 0; round < 50; round++) await once();
  await twenty();
  await settle();
  const grown = Object.entries(holdings()).filter(([what, count]) => count > (before.holdings[what] ?? 0));
  assert.deepEqual(grown, []);
  await until(async () => (await kernelObjects()) === before.kernel);
  await host.ok(['network', 'rm', 'busy']);
});
