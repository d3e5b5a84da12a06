import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointConfig } from '../../wire/container.ts';
import { formatIp } from './ip.ts';
import { checkedMac, linkLocalAddresses, wantedAddresses } from './join-rules.ts';
import { type NetworkRecord, newRecord, predefinedNetworks } from './network-records.ts';

const stated = newRecord({
  Name: 'stated',
  EnableIPv6: true,
  IPAM: { Config: [{ Subnet: '10.9.0.0/24' }, { Subnet: 'fd00:9::/64' }] },
});
const chosen: NetworkRecord = { ...newRecord({ Name: 'chosen' }), subnet: '172.30.0.0/16', isChosen: true };
const [bridge = chosen] = predefinedNetworks('test');

const wanted = (record: NetworkRecord, config: EndpointConfig | null) =>
  wantedAddresses({ record, bridge: undefined, opening: undefined, endpoints: new Map() }, config);

const NOT_STATED =
  'user specified IP address is supported only when connecting to networks with user configured subnets';
const refusals: [string, NetworkRecord, EndpointConfig, string[]][] = [
  ['outside', stated, { IPAMConfig: { IPv4Address: '10.8.0.1' } }, [notIn('10.8.0.1')]],
  ['outside, IPv6', stated, { IPAMConfig: { IPv6Address: 'fd00:8::1' } }, [notIn('fd00:8::1')]],
  ['in a subnet that nobody has stated', chosen, { IPAMConfig: { IPv4Address: '172.30.0.9' } }, [NOT_STATED]],
  ['without IPv6', chosen, { IPAMConfig: { IPv6Address: 'fd00:9::1' } }, [NOT_STATED]],
  ['no link-local address', stated, { IPAMConfig: { LinkLocalIPs: ['x'] } }, ['invalid link-local IP address: x']],
  [
    'no name of an interface',
    stated,
    { DriverOpts: { 'com.docker.network.endpoint.ifname': '../x' } },
    ["invalid interface name '../x'"],
  ],
  [
    'no settings of an interface',
    stated,
    {
      DriverOpts: {
        'com.docker.network.endpoint.sysctls':
          'net.ipv4.conf.IFNAME.forwarding=1,net.ipv4.conf.eth0.log_martians=1,kernel.a.b.IFNAME.c=1',
      },
    },
    [notSysctl('net.ipv4.conf.eth0.log_martians=1'), notSysctl('kernel.a.b.IFNAME.c=1')],
  ],
  [
    'all that is wrong',
    bridge,
    { Aliases: ['a'], IPAMConfig: { IPv4Address: 'x', LinkLocalIPs: ['169.254.1.1', 'y'] } },
    [
      'user specified IP address is supported on user defined networks only',
      'network-scoped alias is supported only for containers in user defined networks',
      'invalid IPv4 address: x',
      'invalid link-local IP address: y',
      NOT_STATED,
    ],
  ],
];
for (const [name, record, config, problems] of refusals)
  test(`an address that is refused: ${name}`, () => {
    const list = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
    const message = `invalid endpoint settings:\n${list.join('\n')}`;
    assert.throws(() => wanted(record, config), { kind: 'invalid', message });
  });

test('addresses that are granted', () => {
  const IPAMConfig = { IPv4Address: '10.9.0.7', IPv6Address: 'fd00:9::7', LinkLocalIPs: ['169.254.1.1', 'fe80::1'] };
  const { ipv4, ipv6, linkLocal } = wanted(stated, { IPAMConfig });
  assert.deepEqual([ipv4 ?? 0, ipv6 ?? 0].map(formatIp), ['10.9.0.7', 'fd00:9::7']);
  assert.deepEqual(
    linkLocalAddresses(linkLocal).map(({ address, prefix }) => `${formatIp(address)}/${prefix}`),
    ['169.254.1.1/16', 'fe80::1/64'],
  );
  assert.deepEqual(wanted(bridge, null), { ipv4: undefined, ipv6: undefined, linkLocal: [] });
  assert.throws(() => linkLocalAddresses([0x0a000001]), { message: 'invalid link local IP address: 10.0.0.1' });
});

test('MAC addresses: three forms, of one interface alone', () => {
  for (const text of ['02:42:AC:00:00:01', '02-42-ac-00-00-01', '0242.ac00.0001'])
    assert.equal(checkedMac(text), '02:42:ac:00:00:01');
  for (const text of ['bad', '02:42-ac:00:00:01', '01:00:00:00:00:01', '00:00:00:00:00:00', '02:42:00:00:00:00:00:21'])
    assert.throws(() => checkedMac(text), { kind: 'invalid', message: `invalid MAC address: ${text}` });
});

function notSysctl(text: string): string {
  return `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`;
}

function notIn(address: string): string {
  return `no configured subnet or ip-range contain the IP address ${address}`;
}
