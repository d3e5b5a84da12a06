/** Networks: the default bridge, those of the user with names, published ports, and that nothing of them stays. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { importBusybox, run, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  // A program that asks for names as glibc does, with its libraries.
  const { stdout } = await run('ldd', ['/usr/bin/getent']);
  const libraries = stdout.match(/\/\S+/g) ?? [];
  const files = Object.fromEntries(libraries.map((path) => [`root${path}`, readFileSync(path)]));
  const dockerfile = 'FROM busybox\nCOPY root /\nCOPY getent /bin/\n';
  await host.build('box', dockerfile, { ...files, getent: readFileSync('/usr/bin/getent') });
});
after(() => host[Symbol.asyncDispose]());
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
  await host.ok(['network', 'prune', '-f']);
});

/** A container that stays, with what a script starts in it. */
const stay = (name: string, script: string, flags: readonly string[]) =>
  host.ok(['run', '-d', '--name', name, ...flags, 'box', 'sh', '-c', script]);
/** One with a web server that says `name`. */
const serve = (name: string, ...flags: string[]) =>
  stay(name, `mkdir /www; echo ${name} > /www/index.html; exec httpd -f -p 80 -h /www`, flags);
/** What the web server answers that one container finds under a name. */
const asking = (name: string) =>
  `a=$(getent ahostsv4 ${name} | head -n 1 | cut -d " " -f 1); [ -n "$a" ] && wget -qO- http://$a/`;
const ask = (from: string, name: string) => host.strake(['exec', from, 'sh', '-c', asking(name)]);

test('network commands', async () => {
  const id = await host.ok(['network', 'create', '--label', 'a=b', '--subnet', '10.223.7.0/24', 'back']);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.match(
    await host.ok(['network', 'ls']),
    /^NETWORK ID +NAME +DRIVER +SCOPE\n[0-9a-f]{12} +back +bridge +local\n[0-9a-f]{12} +bridge +bridge +local\n[0-9a-f]{12} +host +host +local\n[0-9a-f]{12} +none +null +local$/,
  );
  const names = (filter: string) => host.ok(['network', 'ls', '--filter', filter, '--format', '{{.Name}}']);
  for (const [filter, expected] of [
    ['driver=null', 'none'],
    ['name=ac', 'back'],
    ['label=a', 'back'],
    ['label=a=c', ''],
    ['type=custom', 'back'],
    ['type=builtin', 'bridge\nhost\nnone'],
    ['dangling=true', 'back'],
    [`id=${id.slice(0, 6)}`, 'back'],
    ['scope=global', ''],
  ] as const)
    assert.equal(await names(filter), expected, filter);
  assert.equal(
    await host.ok(['network', 'inspect', '-f', '{{json .IPAM.Config}} {{.Labels.a}}', 'back']),
    '[{"Subnet":"10.223.7.0/24","Gateway":"10.223.7.1"}] b',
  );
  for (const [args, message] of [
    [['create', 'back'], 'network with name back already exists'],
    [['create', '--subnet', '10.223.7.128/25', 'x'], 'Pool overlaps with other one on this address space'],
    [['create', '--ipv6', '--subnet', 'fd5a::1/64', 'x'], 'invalid subnet "fd5a::1/64": it should be fd5a::/64'],
    [['create', '--ipv6', '-o', 'com.docker.network.driver.mtu=1000', 'x'], 'MTU 1000 is too small for IPv6'],
    [
      ['create', '-o', 'com.docker.network.bridge.enable_icc=x', 'x'],
      'failed to parse com.docker.network.bridge.enable',
    ],
    [['create', '-d', 'overlay', 'x'], 'plugin "overlay" not found'],
    [['create', 'bridge'], 'operation is not permitted on predefined bridge network'],
    [['rm', 'bridge'], 'bridge is a pre-defined network and cannot be removed'],
    [['rm', 'nosuch'], 'network nosuch not found'],
    [['inspect', 'nosuch'], 'network nosuch not found'],
    [['connect', 'nosuch', 'x'], 'No such container: x'],
  ] as const) {
    const { code, stderr } = await host.strake(['network', ...args]);
    assert.equal(code, 1);
    assert.ok(stderr.includes(message), `${args.join(' ')}: ${stderr}`);
  }
  assert.equal(await host.ok(['network', 'rm', 'back']), 'back');
});

test('containers on a network of the user find each other by name', async () => {
  await host.ok(['network', 'create', '--subnet', '10.223.8.0/24', '--ip-range', '10.223.8.64/26', 'front']);
  await host.ok(['network', 'create', 'other']);
  const db = await serve('db', '--network', 'front', '--network-alias', 'store', '--ip', '10.223.8.9');
  await serve('stranger', '--network', 'other');
  await serve('web', '--network', 'front', '--hostname', 'www');
  assert.match(
    await host.inspect('web', '{{.NetworkSettings.Networks.front.IPAddress}}'),
    /^10\.223\.8\.(6[4-9]|[7-9]\d|1[0-2]\d)$/,
  );
  for (const name of ['db', 'DB', 'store', db.slice(0, 12), 'db.front', '10.223.8.9'])
    assert.deepEqual(await ask('web', name), { code: 0, stdout: 'db\n', stderr: '' }, name);
  assert.equal((await ask('db', 'www')).stdout, 'web\n');
  assert.equal((await ask('web', 'stranger')).code, 1);
  assert.equal((await ask('web', 'nosuch.invalid')).code, 1);
  assert.match(await host.ok(['exec', 'web', 'nslookup', '10.223.8.9']), /name = db\.front/);
  assert.match(
    await host.ok(['exec', 'web', 'cat', '/etc/resolv.conf']),
    /^nameserver 127\.0\.0\.11\n(?:.*\n)*options .*ndots:0/,
  );
  // A name server of one's own has port 53 for itself. Its input stays open, else it ends the connection before all is there.
  const listen =
    'mkfifo /tmp/open; nc -l -p 53 <> /tmp/open > /tmp/got & until netstat -ltn | grep -q ":53 "; do :; done';
  const script = `${listen}; echo x | nc 127.0.0.1 53; wait; cat /tmp/got; getent hosts db`;
  const own = await host.ok(['exec', 'web', 'sh', '-c', script]);
  assert.equal(own, 'x\n10.223.8.9      db');

  await host.ok(['rename', 'db', 'base']);
  assert.equal((await ask('web', 'base')).stdout, 'db\n');
  assert.equal((await ask('web', 'db')).code, 1);
  await host.ok(['stop', '-t', '0', 'base']);
  assert.equal((await ask('web', 'store')).code, 1);
  const used = await host.strake(['network', 'rm', 'front']);
  assert.match(used.stderr, /error while removing network: network front id [0-9a-f]{64} has active endpoints/);
});

test('a container comes to a network and leaves it while it runs', async () => {
  await host.ok(['network', 'create', 'front']);
  await host.ok(['network', 'create', '--internal', 'inner']);
  await serve('web', '--network', 'front');
  await serve('db');
  assert.equal((await ask('web', 'db')).code, 1);
  await host.ok(['network', 'connect', '--alias', 'store', 'front', 'db']);
  assert.equal((await ask('web', 'store')).stdout, 'db\n');
  assert.equal((await ask('db', 'web')).stdout, 'web\n', 'its resolv.conf and hosts are new');
  assert.match(await host.ok(['exec', 'db', 'cat', '/etc/hosts']), /(\n[\d.]+\t[0-9a-f]{12}){2}$/);
  assert.equal(
    await host.inspect('db', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}'),
    'bridge front ',
  );
  const twice = await host.strake(['network', 'connect', 'front', 'db']);
  assert.match(twice.stderr, /endpoint with name db already exists in network front/);
  await host.ok(['network', 'disconnect', 'bridge', 'db']);
  assert.match(await host.ok(['exec', 'db', 'ip', 'route']), /^default via \S+ dev eth1/, 'it leaves by the other one');
  await host.ok(['network', 'connect', 'inner', 'db']);
  await host.ok(['network', 'disconnect', 'front', 'db']);
  assert.doesNotMatch(await host.ok(['exec', 'db', 'ip', 'route']), /default/);
  const outside = await host.strake(['exec', 'db', 'nslookup', 'example.org']);
  assert.match(outside.stdout + outside.stderr, /SERVFAIL/, 'nothing leaves an internal network, names neither');
  await host.ok(['restart', '-t', '0', 'db']);
  assert.equal(await host.inspect('db', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}'), 'inner ');

  await host.ok(['create', '--name', 'later', 'busybox', 'ip', '-o', 'addr']);
  await host.ok(['network', 'connect', 'front', 'later']);
  await host.ok(['network', 'disconnect', 'bridge', 'later']);
  assert.match(await host.ok(['start', '-a', 'later']), /eth0/);
  const gone = await host.strake(['network', 'disconnect', 'bridge', 'later']);
  assert.match(gone.stderr, /is not connected to network bridge/);
});

test('several networks from the start, links, and networks that do not go together', async () => {
  await host.ok(['network', 'create', 'one']);
  await host.ok(['network', 'create', 'two']);
  await serve('db', '--network', 'two');
  await serve('web', '--network', 'one', '--network', 'name=two,alias=www', '--link', 'db:store');
  assert.equal((await ask('web', 'store')).stdout, 'db\n');
  assert.equal((await ask('db', 'www')).stdout, 'web\n');
  assert.equal((await ask('db', 'store')).code, 1, 'a link is of the one who made it');
  await serve('old');
  assert.equal(await host.ok(['run', '--rm', '--link', 'old:past', 'box', 'sh', '-c', asking('past')]), 'old');
  await host.ok(['stop', '-t', '0', 'old']);
  for (const [flags, message] of [
    [['--link', 'old'], /Cannot link to a non running container/],
    [['--network', 'host', '--network', 'one'], /cannot attach both user-defined and non-user-defined network-modes/],
    [['--network', 'nosuch'], /network nosuch not found/],
    [['--network', 'container:old'], /cannot join network of a non running container/],
    [['--ip', '172.17.0.9'], /user specified IP address is supported on user defined networks only/],
    [['--network-alias', 'x'], /network-scoped alias is supported only for containers in user defined networks/],
  ] as const) {
    const refused = await host.strake(['run', '--rm', ...flags, 'busybox', 'true']);
    assert.equal(refused.code, 125, flags.join(' '));
    assert.match(refused.stderr, message);
  }
  const shared = await host.ok([
    'run',
    '--rm',
    '--network',
    'container:web',
    'box',
    'sh',
    '-c',
    `wget -qO- http://127.0.0.1/; ${asking('store')}`,
  ]);
  assert.equal(shared, 'web\ndb');
  const joined = await host.ok(['run', '-d', '--network', 'container:web', 'busybox', 'sleep', '100']);
  const refused = await host.strake(['network', 'connect', 'one', joined]);
  assert.match(
    refused.stderr,
    /container sharing network namespace with another container or host cannot be connected/,
  );
});

test('links on the default bridge: variables and a line in hosts, which follow the other one', async () => {
  await serve('db', '-h', 'dbhost', '-e', 'A=1', '--expose', '5432', '--expose', '9/sctp');
  await serve('web', '--link', 'db:data', '-e', 'DATA_ENV_A=mine');
  const lineOf = async () => (await host.ok(['exec', 'web', 'grep', 'dbhost', '/etc/hosts'])).split('\t');
  const variable = (name: string) => host.ok(['exec', 'web', 'sh', '-c', `echo $${name}`]);
  const addressOf = () => host.inspect('db', '{{.NetworkSettings.IPAddress}}');
  const first = await addressOf();
  assert.deepEqual(await lineOf(), [first, 'data dbhost db']);
  assert.match(await host.ok(['exec', 'web', 'cat', '/proc/1/environ']), /DATA_PORT=sctp:\/\/[\d.]+:9/);
  assert.equal(await variable('DATA_PORT_5432_TCP'), `tcp://${first}:5432`);
  assert.equal(await variable('DATA_NAME $DATA_ENV_A'), '/web/data mine');
  assert.equal((await ask('web', 'data')).stdout, 'db\n');

  await host.ok(['stop', '-t', '0', 'db']);
  await serve('other'); // takes an address
  await host.ok(['start', 'db']);
  const second = await addressOf();
  assert.notEqual(second, first);
  assert.deepEqual(await lineOf(), [second, 'data dbhost db']);
  assert.equal(await variable('DATA_PORT_5432_TCP_ADDR'), second);
  assert.equal((await ask('web', 'data')).stdout, 'db\n');

  await host.ok(['rename', 'db', 'store']);
  assert.equal(await host.inspect('web', '{{.HostConfig.Links}}'), '[/store:/web/data]');
  await host.ok(['restart', '-t', '0', 'web']);
  assert.deepEqual(await lineOf(), [second, 'data dbhost store']);
  assert.equal(
    await host
      .ok(['run', '--rm', '--network', 'none', '--link', 'store', 'busybox', 'env'])
      .then((env) => env.includes('STORE_')),
    false,
  );
  await host.ok(['network', 'create', 'own']);
  await serve('apart', '--network', 'own');
  for (const [flags, message] of [
    [['--link', 'apart'], /Cannot link to \/apart, as it does not belong to the default network/],
    [['--link', 'nosuch'], /could not get container for nosuch: No such container: nosuch/],
  ] as const)
    assert.match((await host.docker(['run', '--rm', ...flags, 'busybox', 'true'])).stderr, message);
  await host.ok(['stop', '-t', '0', 'store', 'web']);
  const refused = await host.docker(['start', 'web']);
  assert.match(refused.stderr, /Cannot link to a non running container: \/store AS \/web\/data/);
});

/** A server that tells in its log who asked, on both families. */
const listen = (name: string, ...flags: string[]) =>
  stay(name, 'echo ok > /index.html; exec httpd -f -v -p [::]:80', flags);
const get = (from: string, url: string, seconds = 20) =>
  host.strake(['exec', from, 'timeout', `${seconds}`, 'wget', '-qO-', `http://${url}/index.html`]);

const withoutIpv6 = existsSync('/proc/sys/net/ipv6') ? false : 'the kernel has no IPv6';
test('IPv6: addresses, names, routes, published ports; all of it is there again after a kill', {
  skip: withoutIpv6,
}, async () => {
  const subnet = 'fd5a:7c01::/64';
  await host.ok(['network', 'create', '--ipv6', '--subnet', subnet, '--subnet', '10.223.10.0/24', 'six']);
  await host.ok(['network', 'create', '--ipv6', 'own']);
  assert.match(
    await host.inspect('own', '{{.EnableIPv6}} {{(index .IPAM.Config 1).Subnet}}'),
    /^true fd[0-9a-f:]+::\/64$/,
  );
  await listen('web', '--network', 'six', '--ip6', 'fd5a:7c01::99', '-p', '[::1]::80', '-p', '80');
  await host.ok(['run', '-d', '--name', 'ask', '--network', 'own', 'box', 'sleep', '1000']);
  assert.equal(
    await host.inspect(
      'web',
      '{{with .NetworkSettings.Networks.six}}{{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}} {{.IPAMConfig}}{{end}}',
    ),
    'fd5a:7c01::99/64 fd5a:7c01::1 map[IPv6Address:fd5a:7c01::99]',
  );
  assert.match(await host.inspect('six', '{{range .Containers}}{{.IPv6Address}}{{end}}'), /^fd5a:7c01::99\/64$/);
  assert.match(await host.ok(['exec', 'web', 'cat', '/etc/hosts']), /\nfd5a:7c01::99\t[0-9a-f]{12}$/);

  // From this machine: what is published on ::1 alone, and on every address.
  const published = (await host.ok(['port', 'web', '80'])).split('\n');
  assert.equal(published.length, 3, published.join());
  for (const address of published) {
    const { stdout } = await run('curl', ['-sg', `http://${address.replace('0.0.0.0', '127.0.0.1')}/index.html`]);
    assert.equal(stdout, 'ok\n', address);
  }
  // From elsewhere: packet rules lead it on, with the client's address.
  const port = /0\.0\.0\.0:(\d+)/.exec(published.join())?.[1];
  const gateway = await host.inspect('ask', '{{.NetworkSettings.Networks.own.IPv6Gateway}}');
  assert.equal((await get('ask', `[${gateway}]:${port}`)).stdout, 'ok\n');
  assert.match((await host.strake(['logs', 'web'])).stderr, /\[fd5a:7c01::1\]/, 'masqueraded: the bridge asks');
  assert.equal((await get('ask', '[fd5a:7c01::99]', 1)).stdout, '', 'only what is published is reached');

  await host.ok(['network', 'connect', '--ip6', 'fd5a:7c01::77', 'six', 'ask']);
  assert.match(await host.ok(['exec', 'ask', 'nslookup', '-type=aaaa', 'web']), /Address: fd5a:7c01::99/);
  assert.match(await host.ok(['exec', 'ask', 'nslookup', 'fd5a:7c01::99']), /name = web\.six/);
  assert.match(await host.ok(['exec', 'ask', 'getent', 'ahostsv6', 'web']), /^fd5a:7c01::99 /);
  assert.equal((await get('ask', '[fd5a:7c01::99]')).stdout, 'ok\n');
  await host.ok(['network', 'disconnect', 'own', 'ask']);
  assert.match(await host.ok(['exec', 'ask', 'ip', '-6', 'route']), /default via fd5a:7c01::1 dev eth1/);

  for (const [flags, message] of [
    [['--network', 'six', '--ip6', 'fd5a:7c01::99'], /Address already in use/],
    [['--network', 'six', '--ip6', 'fd99::1'], /no configured subnet or ip-range contain the IP address fd99::1/],
    [['--network', 'six', '--ip6', '10.0.0.1'], /invalid IPv6 address: 10\.0\.0\.1/],
    [['--ip6', 'fd5a:7c01::9'], /user specified IP address is supported on user defined networks only/],
  ] as const)
    assert.match((await host.strake(['run', '--rm', ...flags, 'box', 'true'])).stderr, message);

  await host.stop('SIGKILL');
  await host.restart();
  await host.ok(['start', 'web', 'ask']);
  await until(async () => (await get('ask', '[fd5a:7c01::99]')).stdout === 'ok\n');
  assert.match(await host.ok(['exec', 'ask', 'ip', '-6', 'addr']), /fd5a:7c01::77\/64/);
});

test('options of a bridge: apart from each other, with their own addresses, ports on one address, a name, an MTU', async () => {
  const option = (name: string, value: string) => ['-o', `com.docker.network.${name}=${value}`];
  const apart = [...option('bridge.enable_icc', 'false'), ...option('bridge.enable_ip_masquerade', 'false')];
  const shape = [...option('bridge.name', 'sktest-br'), ...option('driver.mtu', '1300')];
  await host.ok(['network', 'create', '--subnet', '10.223.11.0/24', ...apart, ...shape, 'apart']);
  await host.ok(['network', 'create', ...option('bridge.host_binding_ipv4', '127.0.0.1'), 'bound']);
  const web = await listen('web', '--network', 'apart', '--ip', '10.223.11.9');
  await host.ok(['run', '-d', '--name', 'ask', '--network', 'apart', '--ip', '10.223.11.8', 'box', 'sleep', '1000']);
  assert.match((await run('ip', ['link', 'show', 'sktest-br'])).stdout, /mtu 1300/);
  assert.match(await host.ok(['exec', 'ask', 'ip', 'link', 'show', 'eth0']), /mtu 1300/);
  assert.equal((await get('ask', '10.223.11.9', 1)).stdout, '', 'icc is off');
  assert.match(await host.ok(['exec', 'ask', 'nslookup', '-type=a', 'web']), /10\.223\.11\.9/, 'names still work');

  await listen('open', '-p', '80');
  await listen('near', '--network', 'bound', '-p', '80');
  assert.match(await host.ok(['port', 'near', '80']), /^127\.0\.0\.1:\d+$/);
  const port = /0\.0\.0\.0:(\d+)/.exec(await host.ok(['port', 'open', '80']))?.[1];
  assert.equal((await get('ask', `10.223.11.1:${port}`)).stdout, 'ok\n');
  assert.match((await host.strake(['logs', 'open'])).stderr, /10\.223\.11\.8\]/, 'with its own address');
  assert.equal(
    (await run('curl', ['-s', 'http://10.223.11.9/index.html'])).stdout,
    'ok\n',
    `${web}: the host reaches it`,
  );
});

test('a host that is killed finds its networks again, and nothing of the old ones is left', async () => {
  const id = await host.ok(['network', 'create', '--subnet', '10.223.9.0/24', 'kept']);
  await serve('db', '--network', 'kept', '-p', '127.0.0.1::80', '--restart', 'always');
  await serve('web', '--network', 'kept');
  await host.stop('SIGKILL');
  await host.restart();
  assert.equal(await host.inspect('kept', '{{.Id}} {{(index .IPAM.Config 0).Subnet}}'), `${id} 10.223.9.0/24`);
  // It ran on until the next host ended it.
  assert.equal(await host.inspect('web', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
  await host.ok(['start', 'web']);
  await until(async () => (await ask('web', 'db')).stdout === 'db\n');
});

test('options of one endpoint', async () => {
  for (const name of ['a1', 'a2', 'a3']) await host.ok(['network', 'create', name]);
  const gateway = (name: string) => host.ok(['network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', name]);
  const routes = async (name: string) =>
    (await host.ok(['exec', name, 'ip', 'route'])).split('\n').find((line) => line.startsWith('default'));
  const option = 'driver-opt=com.docker.network.endpoint.ifname=lan0';
  const sysctl = 'driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1';
  const flags = ['--network', `name=a1,mac-address=02:42:00:00:00:77,${option},${sysctl}`];
  await stay('ours', 'sleep 1000', [...flags, '--network', 'name=a2,gw-priority=1']);
  const script = 'cat /sys/class/net/lan0/address /proc/sys/net/ipv4/conf/lan0/log_martians';
  assert.equal(await host.ok(['exec', 'ours', 'sh', '-c', script]), '02:42:00:00:00:77\n1');
  assert.equal(await routes('ours'), `default via ${await gateway('a2')} dev eth0 `);
  await host.ok(['network', 'connect', '--gw-priority', '2', 'a3', 'ours']);
  assert.equal(await routes('ours'), `default via ${await gateway('a3')} dev eth1 `);
  await host.ok(['network', 'disconnect', 'a3', 'ours']);
  assert.equal(await routes('ours'), `default via ${await gateway('a2')} dev eth0 `);
  const shown = '{{range .NetworkSettings.Networks}}{{.GwPriority}} {{end}}';
  assert.equal(await host.ok(['inspect', '-f', shown, 'ours']), '0 1 ');
  const wrong = 'name=a2,driver-opt=com.docker.network.endpoint.ifname=a/b';
  const refused = await host.strake(['run', '--rm', '--network', wrong, 'box', 'true']);
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /invalid endpoint settings:\ninvalid interface name 'a\/b'/);
});
