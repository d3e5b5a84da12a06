import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../../lib/error.ts';
import { silentLog } from '../../lib/log.ts';
import { Reserve } from '../../lib/reserve.ts';
import type { Attachment, AttachRequest } from './attachment.ts';
import { groupOf } from './neighbours.ts';
import { type NetworkTaskRunner, networkTasks } from './network-tasks.ts';
import { Networks } from './networks.ts';

const skip = process.getuid?.() === 0 ? false : 'network namespaces need root';
const { signal } = new AbortController();
const NO_PORTS = { exposed: [], bindings: {}, publishAll: false };
const NO_DNS = { servers: [], search: [], options: [] };

let bridgesMade = 0;

/** The tasks in this thread; a worker pool runs them the same way. */
const tasks: NetworkTaskRunner = {
  // The table is keyed by the task's name, and its callers state the task's own input and output.
  run: async (task, input) => {
    if (task === 'network.addBridge') bridgesMade++;
    await setImmediate(); // others have their turn meanwhile, as beside a worker
    return (networkTasks as Record<string, (input: unknown) => unknown>)[task]?.(input) as never;
  },
};

let folder = '';
let networks: Networks;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'strake-network-'));
  networks = new Networks({
    stateFolder: folder,
    tasks,
    reserve: new Reserve(join(folder, 'reserve')),
    log: silentLog,
  });
});

after(async () => {
  await networks[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function request(network = 'bridge', more: Partial<AttachRequest> = {}): AttachRequest {
  return {
    endpoints: { [network]: null },
    name: 'web',
    hostname: 'web',
    ports: NO_PORTS,
    dns: NO_DNS,
    links: [],
    ...more,
  };
}

function addressOf(attachment: Attachment, network = 'bridge'): string {
  return attachment.settings.Networks[network]?.IPAddress ?? '';
}

/** Runs a small program inside a namespace. */
function inside(attachment: Attachment, script: string) {
  const path = attachment.namespacePath ?? '/proc/self/ns/net';
  const child = spawn('nsenter', [`--net=${path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready')) resolve();
    });
    child.on('close', () => reject(new Error(`ended early: ${output}`)));
  });
  ready.catch(() => {}); // awaited by those who start a server only
  const ended = once(child, 'close').then(() => output.trim());
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { ended, ready, [Symbol.asyncDispose]: stop };
}

/** Answers on TCP 80 with the client's address, and on UDP 53 with what was sent. */
const LISTEN = `
  const answer = (socket) => socket.end('hello ' + socket.remoteAddress);
  require('net').createServer(answer).listen(80, '0.0.0.0', () => {
    const udp = require('dgram').createSocket('udp4');
    udp.on('message', (text, from) => udp.send('udp ' + text, from.port, from.address));
    udp.bind(53, () => console.log('ready'));
  });`;

const LIST_INTERFACES = `console.log(require('fs').readFileSync('/proc/self/net/dev', 'utf8').match(/\\w+(?=:)/g).join(' '))`;

function askScript(host: string, port: number): string {
  return `
    const socket = require('net').connect(${port}, '${host}').setTimeout(1500, () => socket.destroy(new Error('timeout')));
    socket.on('data', (chunk) => process.stdout.write(chunk)).on('error', (error) => console.log(error.message));`;
}

async function ask(from: Attachment, host: string, port: number): Promise<string> {
  return inside(from, askScript(host, port)).ended;
}

/** One TCP exchange from the host's own namespace. */
async function askHere(host: string, port: number): Promise<string> {
  const socket = createConnection({ host, port, timeout: 3000 });
  socket.on('timeout', () => socket.destroy(new Error('timeout')));
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** One UDP exchange from the host's own namespace. */
async function sayHere(host: string, port: number, text: string): Promise<string> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.send(text, port, host);
    const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(3000) });
    return String(message);
  } finally {
    socket.close();
  }
}

/** Interfaces and packet rules of the host whose state folder this is. */
function kernelObjects(stateFolder: string): string[] {
  const tag = createHash('sha256').update(stateFolder).digest('hex').slice(0, 8);
  const group = groupOf(tag);
  const links = execFileSync('ip', ['-o', 'link']).toString().split('\n');
  const rules = execFileSync('iptables-save').toString().split('\n');
  return [
    ...links.filter((line) => line.includes(` group ${group} `)),
    ...rules.filter((line) => line.includes(`STRAKE-${tag}-`)),
  ];
}

/** A namespace that no host manages, on a wire of its own to this machine: what comes from it comes from outside. */
function makeOutside() {
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const name = `strake-out-${process.pid}`;
  const link = `so${process.pid}`;
  ip('netns', 'add', name);
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  ip('addr', 'add', '198.51.100.1/24', 'dev', link);
  ip('link', 'set', link, 'up');
  ip('-n', name, 'addr', 'add', '198.51.100.2/24', 'dev', 'eth0');
  ip('-n', name, 'link', 'set', 'eth0', 'up');
  ip('-n', name, 'route', 'add', 'default', 'via', '198.51.100.1');
  const attachment = { namespacePath: `/run/netns/${name}` } as Attachment; // only the path is looked at
  return { attachment, [Symbol.dispose]: () => void ip('netns', 'del', name) };
}

const published = (bindings: AttachRequest['ports']['bindings']) =>
  request('bridge', { ports: { exposed: ['443/tcp'], bindings, publishAll: false } });

test('two containers on the bridge reach each other', { skip }, async () => {
  const one = await networks.attach('one', request(), { signal });
  const two = await networks.attach('two', request(), { signal });
  assert.notEqual(addressOf(one), addressOf(two));
  await using server = inside(one, LISTEN);
  await server.ready;
  assert.equal(await ask(two, addressOf(one), 80), `hello ${addressOf(two)}`);
  await networks.release('one');
  await networks.release('two');
});

test('a container reaches the outside masqueraded, and the outside reaches only published ports', {
  skip,
}, async () => {
  using outside = makeOutside();
  const request = published({ '80/tcp': [{}], '53/udp': [{ HostPort: '' }] });
  const one = await networks.attach('one', request, { signal });
  const two = await networks.attach('two', published({}), { signal });
  const tcp = Number(one.settings.Ports['80/tcp']?.[0]?.HostPort);
  const udp = Number(one.settings.Ports['53/udp']?.[0]?.HostPort);
  assert.deepEqual(one.settings.Ports['443/tcp'], null);
  await using far = inside(outside.attachment, LISTEN);
  await using near = inside(one, LISTEN);
  await Promise.all([far.ready, near.ready]);
  const rows: [what: string, actual: () => Promise<string>, expected: string | RegExp][] = [
    ['container to the outside', () => ask(one, '198.51.100.2', 80), 'hello 198.51.100.1'],
    ['outside to a published port', () => ask(outside.attachment, '198.51.100.1', tcp), 'hello 198.51.100.2'],
    ['outside to the container itself', () => ask(outside.attachment, addressOf(one), 80), 'timeout'],
    ['this machine, 127.0.0.1', () => askHere('127.0.0.1', tcp), /^hello 172\./],
    ['this machine, ::1', () => askHere('::1', tcp), /^hello 172\./],
    ['this machine, its own address', () => askHere('198.51.100.1', tcp), /^hello 172\./],
    ['another container, by the host', () => ask(two, '198.51.100.1', tcp), /^hello 172\./],
    ['itself, by the host', () => ask(one, '198.51.100.1', tcp), /^hello 172\./],
    ['UDP from 127.0.0.1', () => sayHere('127.0.0.1', udp, 'a'), 'udp a'],
    ['UDP from ::1', () => sayHere('::1', udp, 'b'), 'udp b'],
  ];
  for (const [what, actual, expected] of rows) {
    if (typeof expected === 'string') assert.equal(await actual(), expected, what);
    else assert.match(await actual(), expected, what);
  }
  await networks.release('one');
  await assert.rejects(askHere('127.0.0.1', tcp), { code: 'ECONNREFUSED' });
  await networks.release('two');
});

test('a host port is given once', { skip }, async (t) => {
  const one = await networks.attach('one', published({ '80': [{ HostIp: '127.0.0.1' }] }), { signal });
  const port = one.settings.Ports['80/tcp']?.[0]?.HostPort ?? '';
  assert.deepEqual(one.settings.Ports, { '443/tcp': null, '80/tcp': [{ HostIp: '127.0.0.1', HostPort: port }] });
  await t.test('to another container: refused in the known words', async () => {
    await assert.rejects(networks.attach('two', published({ '80/tcp': [{ HostPort: port }] }), { signal }), (error) => {
      assert.ok(isFailure(error, 'conflict'));
      assert.match(
        error.message,
        /^driver failed programming external connectivity on endpoint web \([0-9a-f]{64}\): /,
      );
      assert.ok(error.message.endsWith(`Bind for 0.0.0.0:${port} failed: port is already allocated`));
      return true;
    });
  });
  await t.test('a range: the next one is taken', async () => {
    const range = `${port}-${Number(port) + 20}`;
    const two = await networks.attach('two', published({ '80/tcp': [{ HostPort: range }] }), { signal });
    assert.notEqual(two.settings.Ports['80/tcp']?.[0]?.HostPort, port);
    assert.equal(two.settings.Ports['80/tcp']?.length, 2);
    await networks.release('two');
  });
  await t.test('to another program: its own words', async () => {
    await using server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const taken = String((server.address() as AddressInfo).port); // a TCP server has no other kind of address
    const attaching = networks.attach('two', published({ '80/tcp': [{ HostPort: taken }] }), { signal });
    await assert.rejects(attaching, { code: 'PORT_IN_USE', message: /bind: address already in use$/ });
  });
  await t.test('free again after release', async () => {
    await networks.release('one');
    const two = await networks.attach('two', published({ '80/tcp': [{ HostPort: port }] }), { signal });
    assert.equal(two.settings.Ports['80/tcp']?.[0]?.HostPort, port);
    await networks.release('two');
  });
});

test('host, none and the namespace of another container', { skip }, async () => {
  const host = await networks.attach('host', request('host'), { signal });
  assert.equal(host.namespacePath, undefined);
  assert.deepEqual(Object.keys(host.settings.Networks), ['host']);
  const none = await networks.attach('none', request('none'), { signal });
  assert.equal(await inside(none, LIST_INTERFACES).ended, 'lo');
  const one = await networks.attach('one', request('default'), { signal });
  const joined = await networks.attach('joined', request('', { endpoints: {}, sharedWith: 'one' }), { signal });
  assert.equal(joined.namespacePath, one.namespacePath);
  assert.equal(await inside(joined, LIST_INTERFACES).ended, 'lo eth0');
  await assert.rejects(networks.attach('x', request('', { endpoints: {}, sharedWith: 'y' }), { signal }), {
    code: 'NOT_ATTACHED',
  });
  await assert.rejects(networks.attach('x', request('nowhere'), { signal }), { message: 'network nowhere not found' });
  for (const id of ['host', 'none', 'joined', 'one']) await networks.release(id);
  assert.deepEqual(networks.inspect('bridge').Containers, {});
});

test('an interface has IPv6 where its network has, and the link-local addresses asked for', { skip }, async () => {
  const IPAM = { Config: [{ Subnet: 'fd00:5ca1::/64' }] };
  const ids = [
    await networks.create({ Name: 'v4' }, { signal }),
    await networks.create({ Name: 'v6', EnableIPv6: true, IPAM }, { signal }),
  ];
  const config = { IPAMConfig: { LinkLocalIPs: ['169.254.7.7'] }, DriverOpts: { x: 'y' } };
  const attachment = await networks.attach('c6', request('v4', { endpoints: { v4: config, v6: null } }), { signal });
  const script = `
    const off = (link) => require('fs').readFileSync('/proc/sys/net/ipv6/conf/' + link + '/disable_ipv6', 'utf8').trim();
    const addresses = require('os').networkInterfaces()['eth0'].map(({ cidr }) => cidr);
    console.log([off('eth0'), off('eth1'), ...addresses.slice(1)].join(' '));`;
  try {
    assert.equal(await inside(attachment, script).ended, '1 0 169.254.7.7/16');
    assert.partialDeepStrictEqual(attachment.settings.Networks['v4'], config);
    const local = { v4: { IPAMConfig: { LinkLocalIPs: ['10.0.0.1'] } } };
    await assert.rejects(networks.attach('other', request('v4', { endpoints: local }), { signal }), {
      message: 'invalid link local IP address: 10.0.0.1',
    });
  } finally {
    await networks.release('c6');
    for (const id of ids) await networks.remove(id);
  }
});

test('networks that are made at the same moment', { skip }, async () => {
  const names = Array.from({ length: 12 }, (_, index) => `beside${index}`);
  const before = bridgesMade;
  const ids = await Promise.all(names.map((Name) => networks.create({ Name }, { signal })));
  const subnets = ids.map((id) => networks.inspect(id).IPAM.Config?.[0]?.Subnet);
  assert.equal(new Set(subnets).size, names.length, subnets.join(' '));
  // Only what others of this machine take makes one of them choose again.
  assert.ok(bridgesMade - before < 2 * names.length, `${bridgesMade - before} bridges were made`);
  await Promise.all(ids.map((id) => networks.remove(id)));
});

test('the default route and the ports go through the network of the highest priority', { skip }, async () => {
  const ids: string[] = [];
  for (const Name of ['alpha', 'beta', 'gamma']) ids.push(await networks.create({ Name }, { signal }));
  const DriverOpts = {
    'com.docker.network.endpoint.ifname': 'lan',
    'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
  };
  const ports = { exposed: [], bindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] }, publishAll: false };
  const wishes = { ports, endpoints: { beta: { DriverOpts }, gamma: { GwPriority: -1 } } };
  const routed = (attachment: Attachment) =>
    inside(
      attachment,
      `const fs = require('fs');
       const [, , route = ''] = fs.readFileSync('/proc/net/route', 'utf8').split('\\n').map((line) => line.split('\\t')).find(([, to]) => to === '00000000') ?? [];
       const links = fs.readFileSync('/proc/net/dev', 'utf8').match(/\\w+(?=:)/g);
       const martians = fs.readFileSync('/proc/sys/net/ipv4/conf/lan/log_martians', 'utf8').trim();
       console.log([route.match(/../g).reverse().map((byte) => parseInt(byte, 16)).join('.'), links.sort(), martians].join(' '));`,
    ).ended;
  try {
    const first = await networks.attach('c', request('beta', wishes), { signal });
    const gateways = (attachment: Attachment) =>
      Object.fromEntries(Object.entries(attachment.settings.Networks).map(([name, { Gateway }]) => [name, Gateway]));
    assert.equal(await routed(first), `${gateways(first)['beta']} eth0,lan,lo 1`);
    const second = await networks.connect('c', 'alpha', null, { signal });
    assert.equal(await routed(second), `${gateways(second)['alpha']} eth0,eth1,lan,lo 1`, 'the first by name');
    await using server = inside(second, LISTEN);
    await server.ready;
    const published = Number(second.settings.Ports['80/tcp']?.[0]?.HostPort);
    assert.match(await askHere('127.0.0.1', published), /^hello /, 'the ports have moved');
    await networks.disconnect('c', 'gamma');
    const third = await networks.connect('c', 'gamma', { GwPriority: 3 }, { signal });
    assert.equal(third.settings.Networks['gamma']?.GwPriority, 3);
    assert.equal(await routed(third), `${gateways(third)['gamma']} eth0,eth1,lan,lo 1`);
    const back = await networks.disconnect('c', 'gamma');
    assert.equal(await routed(back), `${gateways(back)['alpha']} eth1,lan,lo 1`);
    const taken = { DriverOpts: { 'com.docker.network.endpoint.ifname': 'lan' } };
    await assert.rejects(networks.connect('c', 'gamma', taken, { signal }), { code: 'INTERFACE_TAKEN' });
    const unknown = { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.nope=1' } };
    await assert.rejects(networks.connect('c', 'gamma', unknown, { signal }), {
      kind: 'invalid',
      message: '/proc/sys/net/ipv4/conf/eth0/nope is not a sysctl file',
    });
    assert.equal(await routed(back), `${gateways(back)['alpha']} eth1,lan,lo 1`, 'nothing stays of what failed');
  } finally {
    await networks.release('c');
    for (const id of ids) await networks.remove(id);
  }
});

test('networks of the user', { skip }, async () => {
  const id = await networks.create({ Name: 'back', IPAM: { Config: [{ Subnet: '10.222.7.0/24' }] } }, { signal });
  await assert.rejects(networks.create({ Name: 'back' }, { signal }), {
    message: 'network with name back already exists',
  });
  const endpoints = { back: { IPAMConfig: { IPv4Address: '10.222.7.9' }, Aliases: ['db'] } };
  const one = await networks.attach('one', request('back', { endpoints }), { signal });
  const other = await networks.attach('two', request('bridge'), { signal });
  assert.equal(addressOf(one, 'back'), '10.222.7.9');
  assert.deepEqual(one.settings.Networks['back']?.Aliases, ['db']);
  assert.equal(networks.inspect(id.slice(0, 12)).Containers['one']?.IPv4Address, '10.222.7.9/24');
  await using server = inside(one, LISTEN);
  await server.ready;
  assert.equal(await ask(other, '10.222.7.9', 80), 'timeout', 'networks are apart');
  await assert.rejects(networks.remove('back'), { code: 'NETWORK_IN_USE' });
  await assert.rejects(networks.remove('bridge'), { code: 'NETWORK_PREDEFINED' });
  const again = new Networks({
    stateFolder: folder,
    tasks,
    reserve: new Reserve(join(folder, 'reserve')),
    log: silentLog,
  });
  assert.deepEqual(again.inspect('back').IPAM.Config, [{ Subnet: '10.222.7.0/24', Gateway: '10.222.7.1' }]);
  await networks.release('two');
  await networks.release('one');
  await networks.remove('back');
  assert.equal(networks.list().length, 3);
});

test('subnets of networks that have no bridge yet are kept for them', { skip }, async () => {
  const own = mkdtempSync(join(tmpdir(), 'strake-network-'));
  const open = () =>
    new Networks({ stateFolder: own, tasks, reserve: new Reserve(join(own, 'reserve')), log: silentLog });
  const body = { EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd5a:7c09::/64' }] } };
  {
    await using first = open();
    await first.create({ Name: 'before', ...body }, { signal });
  }
  await using next = open();
  const subnetOf = (name: string) => next.inspect(name).IPAM.Config?.[0]?.Subnet ?? '';
  await next.create({ Name: 'chosen' }, { signal });
  assert.notEqual(subnetOf('chosen'), subnetOf('before'));
  const taken = { message: 'Pool overlaps with other one on this address space' };
  await assert.rejects(next.create({ Name: 'six', ...body }, { signal }), taken);
  const stated = { Name: 'stated', IPAM: { Config: [{ Subnet: subnetOf('before') }] } };
  await assert.rejects(next.create(stated, { signal }), taken);
  await next.attach('one', request('before'), { signal });
  await next.release('one');
  for (const name of ['before', 'chosen']) await next.remove(name);
  rmSync(own, { recursive: true });
});

test('a container that gets no port leaves no name server behind', { skip }, async () => {
  const sockets = () => {
    const links = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ''; // closed meanwhile
      }
    });
    return links.filter((link) => link.startsWith('socket:')).length;
  };
  await networks.create({ Name: 'named' }, { signal });
  const asking = (HostPort: string) => {
    const bindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] };
    return request('named', { ports: { exposed: [], bindings, publishAll: false } });
  };
  const { settings } = await networks.attach('one', asking(''), { signal });
  const before = sockets();
  const taken = asking(settings.Ports['80/tcp']?.[0]?.HostPort ?? '');
  await assert.rejects(networks.attach('two', taken, { signal }), { kind: 'conflict' });
  assert.equal(sockets(), before);
  await networks.release('one');
  await networks.remove('named');
});

test('twenty containers at once, and nothing is left of them', { skip }, async () => {
  const own = mkdtempSync(join(tmpdir(), 'strake-network-'));
  {
    await using many = new Networks({
      stateFolder: own,
      tasks,
      reserve: new Reserve(join(own, 'reserve')),
      log: silentLog,
    });
    const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const ports = { exposed: ['80/tcp'], bindings: {}, publishAll: true };
    const attached = await Promise.all(ids.map((id) => many.attach(id, request('bridge', { ports }), { signal })));
    assert.equal(new Set(attached.map((one) => addressOf(one))).size, 20);
    assert.equal(kernelObjects(own).filter((line) => line.includes(' --to-destination ')).length, 20);
    await Promise.all(ids.slice(1).map((id) => many.release(id)));
    assert.equal(kernelObjects(own).filter((line) => line.includes(' --to-destination ')).length, 1);
  }
  assert.deepEqual(kernelObjects(own), []);
  rmSync(own, { recursive: true });
});

/** A host that was killed with a container on its bridge, of which a process is left. */
async function killedHost(stateFolder: string): Promise<{ readonly pid: number }> {
  const script = `
    const { Networks } = await import('${import.meta.resolve('./networks.ts')}');
    const { networkTasks } = await import('${import.meta.resolve('./network-tasks.ts')}');
    const tasks = { run: async (task, input) => networkTasks[task](input) };
    const networks = new Networks({ stateFolder: '${stateFolder}', tasks, log: { info() {}, warn() {}, error() {} } });
    const request = { endpoints: { bridge: null }, name: 'web', hostname: 'web', links: [], dns: { servers: [], search: [], options: [] },
      ports: { exposed: ['80/tcp'], bindings: {}, publishAll: true } };
    const { namespacePath } = await networks.attach('one', request, { signal: new AbortController().signal });
    const { spawn } = await import('node:child_process');
    const { pid } = spawn('nsenter', ['--net=' + namespacePath, 'sleep', '60']);
    setTimeout(() => console.log(pid), 200);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { pid: Number(pid) };
}

function openNetworks(stateFolder: string): Networks {
  return new Networks({ stateFolder, tasks, reserve: new Reserve(join(stateFolder, 'reserve')), log: silentLog });
}

test('what a killed host left is found and removed', { skip }, async () => {
  const own = mkdtempSync(join(tmpdir(), 'strake-network-'));
  const { pid } = await killedHost(own);
  assert.ok(kernelObjects(own).length > 8, 'its process keeps the interface, its rules stay');
  await using next = openNetworks(own);
  await next.cleanLeftovers();
  assert.deepEqual(kernelObjects(own), []);
  process.kill(pid, 'SIGKILL');
  rmSync(own, { recursive: true });
});

test('what a killed host left goes with the next host, whichever that is, but not while a container is left', {
  skip,
}, async () => {
  const makeFolder = () => mkdtempSync(join(tmpdir(), 'strake-network-'));
  const [killed, second, third] = [makeFolder(), makeFolder(), makeFolder()];
  const { pid } = await killedHost(killed);
  const left = kernelObjects(killed);
  const useOther = async (stateFolder: string) => {
    await using other = openNetworks(stateFolder);
    await other.attach('one', request(), { signal });
  };
  await networks.hostGateway({ signal }); // a host that lives, with no container
  const alive = kernelObjects(folder);
  await useOther(second);
  assert.deepEqual(kernelObjects(killed), left);
  process.kill(pid, 'SIGKILL');
  while (kernelObjects(killed).length === left.length) await sleep(20); // the kernel ends the namespace when it likes
  await useOther(third);
  assert.deepEqual(kernelObjects(killed), []);
  assert.ok(alive.length > 8);
  assert.deepEqual(kernelObjects(folder), alive);
  for (const folder of [killed, second, third]) rmSync(folder, { recursive: true });
});
