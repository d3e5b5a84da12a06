import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { AddressPool, chooseSubnet } from './address-pool.ts';
import {
  type FirewallRules,
  findIptablesHooks,
  findTags,
  iptablesHooks,
  renderIptables,
  renderIptablesNames,
  renderIptablesRemoval,
  renderNft,
  renderNftNames,
  renderNftRemoval,
  rulesOf,
} from './firewall-rules.ts';
import { formatIpv4, formatSubnet, overlaps, parseIpv4, parseSubnet } from './ipv4.ts';
import { planPorts } from './port-plan.ts';
import { bridgedResolver, parseResolvConf, renderResolvConf } from './resolv.ts';

const OPEN = { internal: false, talk: true, masquerade: true };
const rules6: FirewallRules = {
  bridges: [
    { bridge: 'sk-six', family: 6, subnet: 'fd00:1::/64', policy: OPEN },
    { bridge: 'sk-apart', family: 6, subnet: 'fd00:2::/64', policy: { ...OPEN, talk: false, masquerade: false } },
  ],
  forwards: [
    {
      protocol: 'tcp',
      family: 6,
      hostAddress: undefined,
      hostPort: 8080,
      bridge: 'sk-six',
      address: 'fd00:1::2',
      port: 80,
    },
  ],
};

const rules: FirewallRules = {
  bridges: [
    { bridge: 'strake0', family: 4, subnet: '172.30.0.0/16', policy: OPEN },
    { bridge: 'sk-inner', family: 4, subnet: '10.9.0.0/24', policy: { ...OPEN, internal: true } },
  ],
  forwards: [
    {
      protocol: 'udp',
      family: 4,
      hostAddress: '192.0.2.9',
      hostPort: 5353,
      bridge: 'strake0',
      address: '172.30.0.2',
      port: 53,
    },
    {
      protocol: 'sctp',
      family: 4,
      hostAddress: undefined,
      hostPort: 3868,
      bridge: 'strake0',
      address: '172.30.0.3',
      port: 38,
    },
  ],
};

test('addresses', async (t) => {
  for (const text of ['0.0.0.0', '255.255.255.255', '172.30.0.1'])
    await t.test(`${text} is one`, () => assert.equal(formatIpv4(parseIpv4(text) ?? -1), text));
  for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '::1', '1.2.3.-4'])
    await t.test(`"${text}" is none`, () => assert.equal(parseIpv4(text), undefined));
  for (const text of ['10.0.0.0', '10.0.0.1/8', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/8', '/8'])
    await t.test(`"${text}" is no subnet`, () => assert.throws(() => parseSubnet(text), { code: 'SUBNET' }));
});

test('subnets that overlap', async (t) => {
  const rows: [string, string, boolean][] = [
    ['172.30.0.0/16', '172.30.4.0/24', true],
    ['172.30.4.0/24', '172.30.0.0/16', true],
    ['172.30.0.0/16', '172.31.0.0/16', false],
    ['0.0.0.0/0', '192.168.0.0/24', true],
  ];
  for (const [a, b, expected] of rows)
    await t.test(`${a} ${b}`, () => assert.equal(overlaps(parseSubnet(a), parseSubnet(b)), expected));
});

test('a free subnet is chosen', () => {
  assert.equal(formatSubnet(chooseSubnet([])), '172.30.0.0/16');
  const taken = ['172.30.9.0/24', '172.31.0.0/16', '172.28.0.0/14'].map(parseSubnet);
  assert.equal(formatSubnet(chooseSubnet(taken)), '172.27.0.0/16');
  assert.throws(() => chooseSubnet([parseSubnet('0.0.0.0/0')]), { code: 'SUBNETS_EXHAUSTED' });
});

test('addresses of a pool go round', () => {
  const pool = new AddressPool(parseSubnet('10.0.0.0/29'), parseIpv4('10.0.0.1') ?? 0);
  const taken = Array.from({ length: 5 }, () => pool.take());
  assert.deepEqual(taken.map(formatIpv4), ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  assert.throws(() => pool.take(), { code: 'ADDRESSES_EXHAUSTED' });
  pool.giveBack(taken[1] ?? 0);
  pool.giveBack(taken[0] ?? 0);
  assert.equal(formatIpv4(pool.take()), '10.0.0.2');
  assert.throws(() => pool.take(taken[4]), { code: 'ADDRESS_IN_USE' });
  assert.throws(() => pool.take(parseIpv4('10.0.1.2')), { code: 'ADDRESS' });
  assert.equal(pool.take(taken[1]), taken[1]);
});

test('ports', async (t) => {
  const plan = (bindings: Record<string, { HostIp?: string; HostPort?: string }[] | null>, publishAll = false) =>
    planPorts({ exposed: ['80', '53/udp'], bindings, publishAll });
  await t.test('exposed is not published', () => {
    assert.deepEqual(plan({}), { requests: [], unpublished: ['80/tcp', '53/udp'] });
  });
  await t.test('publish all', () => {
    const { requests, unpublished } = plan({ '80/tcp': [{ HostPort: '8080' }] }, true);
    assert.deepEqual(
      requests.map(({ key, first }) => [key, first]),
      [
        ['80/tcp', 8080],
        ['53/udp', 0],
      ],
    );
    assert.deepEqual(unpublished, []);
  });
  await t.test('a range and an address', () => {
    const { requests } = plan({ '443': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }] });
    const expected = { protocol: 'tcp', containerPort: 443, hostAddress: '127.0.0.1', first: 8000, last: 8010 };
    assert.deepEqual(requests, [{ key: '443/tcp', ...expected }]);
  });
  for (const port of ['', '0', '65536', '80/icmp', '80/tcp/udp', 'x', '-1', '80-90'])
    await t.test(`container port "${port}" is refused`, () => {
      assert.throws(() => plan({ [port]: [{}] }), { code: 'PORT' });
    });
  for (const HostPort of ['x', '9-8', '1-2-3', '70000'])
    await t.test(`host port "${HostPort}" is refused`, () => {
      assert.throws(() => plan({ '80': [{ HostPort }] }), { code: 'PORT' });
    });
  await t.test('a host name is no address', () => {
    assert.throws(() => plan({ '80': [{ HostIp: 'localhost' }] }), { code: 'PORT' });
  });
});

test('iptables: the jumps are added once, and found again', () => {
  const hooks = iptablesHooks('cafe');
  const first = renderIptables('cafe', rules, { filter: [], nat: [] });
  assert.equal(first.match(/^-I /gm)?.length, 3);
  assert.doesNotMatch(renderIptables('cafe', rules, hooks), /^-I /m);
  const saved = ['*nat', ...hooks.nat, '-A POSTROUTING -j STRAKE-beef-SNAT', '*filter', ...hooks.filter].join('\n');
  assert.deepEqual(findIptablesHooks('cafe', saved), hooks);
  assert.equal(renderIptablesRemoval('cafe', hooks).match(/^-D /gm)?.length, 3);
});

test('the tags of all hosts are found in what the programs list', () => {
  const saved = ['*nat', ':STRAKE-00c0ffee-DNAT - [0:0]', ...iptablesHooks('00c0ffee').nat, '-A FORWARD -j DOCKER'];
  assert.deepEqual(findTags(saved.join('\n')), ['00c0ffee']);
  assert.deepEqual(
    findTags('table ip strake-00c0ffee\ntable ip nat\ntable ip strake-12345678\ntable ip strake-names'),
    ['00c0ffee', '12345678'],
  );
});

test('iptables: an internal network gets neither out nor in', () => {
  const text = renderIptables('cafe', rules, { filter: [], nat: [] });
  assert.match(text, /-i sk-inner -j DROP/);
  assert.doesNotMatch(text, /10\.9\.0\.0/);
  assert.match(
    text,
    /! -i strake0 -d 192\.0\.2\.9\/32 -p udp -m udp --dport 5353 -j DNAT --to-destination 172\.30\.0\.2:53/,
  );
  assert.match(text, /! -i strake0 -p sctp -m sctp --dport 3868 -j DNAT --to-destination 172\.30\.0\.3:38/);
});

test('iptables: what containers of a network may do is in the rules, for both families', () => {
  const text = renderIptables('cafe', rules6, { filter: [], nat: [] });
  assert.match(text, /-i sk-apart -o sk-apart -j DROP/);
  assert.match(text, /-i sk-six -o sk-six -j ACCEPT/);
  assert.match(text, /-s fd00:1::\/64 ! -o sk-six -j MASQUERADE/);
  assert.doesNotMatch(text, /-s fd00:2/, 'they keep their addresses');
  assert.match(text, /! -i sk-six -p tcp -m tcp --dport 8080 -j DNAT --to-destination \[fd00:1::2\]:80/);
  assert.deepEqual(rulesOf({ bridges: [...rules.bridges, ...rules6.bridges], forwards: rules.forwards }, 4), rules);
});

test('nft loads our table and takes it away', { skip: skipNft() }, () => {
  const nft = (input: string) => execFileSync('nft', ['-f', '-'], { input });
  for (const [family, own, table, expected] of [
    [4, rules, 'ip', /udp dport 5353 dnat to 172\.30\.0\.2:53[\s\S]*sctp dport 3868 dnat to 172\.30\.0\.3:38/],
    [6, rules6, 'ip6', /tcp dport 8080 dnat to \[fd00:1::2\]:80/],
  ] as const) {
    nft(renderNft('0000test', own, family));
    nft(renderNft('0000test', own, family));
    const listed = execFileSync('nft', ['list', 'table', table, 'strake-0000test']).toString();
    nft(renderNftRemoval('0000test', family));
    assert.match(listed, expected);
  }
  assert.doesNotMatch(execFileSync('nft', ['list', 'tables']).toString(), /0000test/);
});

test('questions of a namespace are led to its name server, by either program', { skip: skipNft() }, () => {
  const ports = { udp: 1053, tcp: 1054 };
  const inside = (script: string, input: string) =>
    execFileSync('unshare', ['-n', 'sh', '-c', script], { input }).toString();
  const nft = inside('nft -f - && nft list ruleset', renderNftNames(ports));
  const iptables = inside('iptables-restore -n && iptables-save -t nat', renderIptablesNames(ports));
  assert.match(nft, /ip daddr 127\.0\.0\.11 udp dport 53 dnat to 127\.0\.0\.11:1053/);
  assert.match(nft, /tcp dport 53 dnat to 127\.0\.0\.11:1054/);
  assert.match(
    iptables,
    /-A OUTPUT -d 127\.0\.0\.11\/32 -p udp .*--dport 53 -j DNAT --to-destination 127\.0\.0\.11:1053/,
  );
});

test('addresses of a range, and those that others have', () => {
  const range = parseSubnet('10.1.2.128/30');
  const reserved = [parseIpv4('10.1.2.129') ?? 0];
  const pool = new AddressPool(parseSubnet('10.1.2.0/24'), parseIpv4('10.1.2.1') ?? 0, { range, reserved });
  const taken = [pool.take(), pool.take(), pool.take()].map(formatIpv4);
  assert.deepEqual(taken, ['10.1.2.128', '10.1.2.130', '10.1.2.131']);
  assert.throws(() => pool.take(), { code: 'ADDRESSES_EXHAUSTED' });
  assert.equal(formatIpv4(pool.take(parseIpv4('10.1.2.9'))), '10.1.2.9', 'a stated one may be elsewhere in the subnet');
  pool.giveBack(parseIpv4('10.1.2.130') ?? 0);
  assert.equal(formatIpv4(pool.take()), '10.1.2.130');
});

test('resolver settings of a container', async (t) => {
  const none = { servers: [], search: [], options: [] };
  const rows: [what: string, file: string, wishes: Partial<typeof none>, expected: string][] = [
    [
      'as the host',
      'nameserver 10.0.0.1\nsearch a b\noptions ndots:2',
      {},
      'nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n',
    ],
    [
      'loopback and IPv6 are left out',
      'nameserver 127.0.0.1\nnameserver ::1\nnameserver 10.0.0.1 # x',
      {},
      'nameserver 10.0.0.1\n',
    ],
    ['only loopback: public servers', 'nameserver 127.0.0.1', {}, 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
    ['no file: public servers', '', {}, 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
  ];
  for (const [what, file, wishes, expected] of rows) {
    await t.test(what, () => {
      assert.equal(renderResolvConf(bridgedResolver(parseResolvConf(file), { ...none, ...wishes })), expected);
    });
  }
  await t.test('what the container states wins, a dot means no search', () => {
    const wishes = { servers: ['127.0.0.9'], search: ['.'], options: ['ndots:5'] };
    const host = parseResolvConf('nameserver 10.0.0.1\nsearch a\noptions ndots:2');
    assert.equal(renderResolvConf(bridgedResolver(host, wishes)), 'nameserver 127.0.0.9\noptions ndots:5\n');
  });
});

function skipNft(): string | false {
  if (process.getuid?.() !== 0) return 'packet rules need root';
  try {
    execFileSync('nft', ['--version']);
    return false;
  } catch {
    return 'nft is not installed';
  }
}
