import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressPool6, chooseSubnet6 } from './address-pool.ts';
import { bridgeOptions } from './bridge-options.ts';
import { readPools } from './ipam-pools.ts';
import { formatIpv6, formatSubnet6, ipv6Bytes, ipv6Of, overlaps6, parseIpv6, parseSubnet6 } from './ipv6.ts';

test('texts of addresses, and the canonical one', () => {
  for (const [text, canonical] of [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['FD00:0:0:1:0:0:0:2', 'fd00:0:0:1::2'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:1:1', '2001::1:0:0:1:1'],
    ['10:0:0:100::', '10:0:0:100::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ] as const)
    assert.equal(formatIpv6(parseIpv6(text) ?? -1n), canonical, text);
  for (const text of ['', '1', 'fe80::1%eth0', '[::1]', '1::2::3', '10.0.0.1', 'fd00::/64', 'g::'])
    assert.equal(parseIpv6(text), undefined, text);
  const any = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
  const sparse = fc
    .array(fc.constantFrom('0', '1', 'ff'), { minLength: 8, maxLength: 8 })
    .map((groups) => parseIpv6(groups.join(':')) ?? 0n);
  fc.assert(fc.property(fc.oneof(any, sparse), (address) => parseIpv6(formatIpv6(address)) === address));
  fc.assert(fc.property(any, (address) => ipv6Of(ipv6Bytes(address)) === address));
});

test('subnets', () => {
  assert.equal(formatSubnet6(parseSubnet6('fd00:0:0:1::/64')), 'fd00:0:0:1::/64');
  assert.throws(() => parseSubnet6('fd00::1/64'), { message: 'invalid subnet "fd00::1/64": it should be fd00::/64' });
  for (const text of ['fd00::', 'fd00::/129', 'fd00::/x', '10.0.0.0/8', 'fd00::/64/1'])
    assert.throws(() => parseSubnet6(text), { kind: 'invalid' }, text);
  const overlap = (a: string, b: string) => overlaps6(parseSubnet6(a), parseSubnet6(b));
  assert.equal(overlap('fd00::/16', 'fd00:5::/64'), true);
  assert.equal(overlap('fd00:4::/64', 'fd00:5::/64'), false);
  assert.equal(overlap('::/0', 'fd00:5::/64'), true);
  const chosen = chooseSubnet6([], Buffer.from('0102030405060708', 'hex').subarray(0, 7));
  assert.equal(formatSubnet6(chosen), 'fd01:203:405:607::/64');
  assert.throws(() => chooseSubnet6([parseSubnet6('fd00::/8')], Buffer.alloc(7)), { kind: 'exhausted' });
});

test('addresses are handed out in a circle', () => {
  const pool = new AddressPool6(parseSubnet6('fd00:1::/125'), 0xfd000001_00000000_00000000_00000001n);
  const next = () => formatIpv6(pool.take());
  const wanted = parseIpv6('fd00:1::3') ?? 0n;
  assert.equal(pool.take(wanted), wanted);
  assert.deepEqual(
    [next(), next(), next(), next(), next()],
    [2, 4, 5, 6, 7].map((n) => `fd00:1::${n}`),
  );
  assert.throws(next, { kind: 'exhausted', message: 'no available IPv6 addresses on fd00:1::/125' });
  pool.giveBack(wanted);
  assert.equal(next(), 'fd00:1::3');
  assert.throws(() => pool.take(wanted), { kind: 'conflict', message: 'Address already in use' });
  assert.throws(() => pool.take(1n), { message: 'address ::1 is not in fd00:1::/125' });
  const large = new AddressPool6(parseSubnet6('fd00::/8'), 1n, { range: parseSubnet6('fd00:0:0:9::/64') });
  assert.equal(formatIpv6(large.take()), 'fd00:0:0:9::');
});

test('pools of a network: one of each family, checked and made canonical', () => {
  assert.deepEqual(
    readPools([
      { Subnet: '10.1.0.0/16', Gateway: '10.1.0.9', AuxiliaryAddresses: { a: '10.1.0.5', b: 'FD00:1::5' } },
      { Subnet: 'FD00:1::/64', IPRange: 'fd00:1:0:0:8::/80', Gateway: 'fd00:1::9' },
    ]),
    {
      pool: { subnet: '10.1.0.0/16', gateway: '10.1.0.9', reserved: { a: '10.1.0.5' } },
      pool6: { subnet: 'fd00:1::/64', gateway: 'fd00:1::9', range: 'fd00:1:0:0:8::/80', reserved: { b: 'fd00:1::5' } },
    },
  );
  assert.deepEqual(readPools([]), { pool: {}, pool6: undefined });
  for (const [pools, message] of [
    [[{ Gateway: '10.0.0.1' }], 'a gateway or an address range needs a subnet'],
    [[{ Subnet: 'fd00:1::/64' }, { Subnet: 'fd00:2::/64' }], "bridge driver doesn't support multiple subnets"],
    [
      [{ Subnet: 'fd00:1::/64', Gateway: 'fd00:2::1' }],
      'invalid gateway address "fd00:2::1": expected an address in fd00:1::/64',
    ],
    [
      [{ Subnet: 'fd00:1::/64', IPRange: 'fd00:2::/80' }],
      'invalid address range "fd00:2::/80": it is not in fd00:1::/64',
    ],
    [
      [{ Subnet: '10.1.0.0/16', AuxiliaryAddresses: { a: 'fd00::1' } }, { Subnet: 'fd00:1::/64' }],
      'invalid auxiliary address "fd00::1": expected an address in fd00:1::/64',
    ],
  ] as const)
    assert.throws(() => readPools(pools), { message });
});

test('options of a bridge in the words of Docker', () => {
  const read = (options: Record<string, string>) => bridgeOptions({ options });
  const prefix = 'com.docker.network';
  assert.deepEqual(read({}), {
    name: undefined,
    mtu: undefined,
    talk: true,
    masquerade: true,
    hostAddress: undefined,
  });
  assert.deepEqual(
    read({
      [`${prefix}.bridge.name`]: 'br-x',
      [`${prefix}.driver.mtu`]: '1400',
      [`${prefix}.bridge.enable_icc`]: 'false',
      [`${prefix}.bridge.enable_ip_masquerade`]: '0',
      [`${prefix}.bridge.host_binding_ipv4`]: '127.0.0.1',
      other: 'x',
    }),
    { name: 'br-x', mtu: 1400, talk: false, masquerade: false, hostAddress: '127.0.0.1' },
  );
  for (const [option, value, message] of [
    [
      'bridge.enable_icc',
      'maybe',
      `failed to parse ${prefix}.bridge.enable_icc value: maybe (strconv.ParseBool: parsing "maybe": invalid syntax)`,
    ],
    ['bridge.host_binding_ipv4', 'nope', `failed to parse ${prefix}.bridge.host_binding_ipv4 value: nope (nil ip)`],
    ['driver.mtu', 'x', `failed to parse ${prefix}.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)`],
    ['driver.mtu', '5', 'invalid MTU: "5"'],
    ['bridge.name', 'a b', 'invalid name of a bridge: "a b"'],
    [
      'bridge.gateway_mode_ipv4',
      'isolated',
      `network option ${prefix}.bridge.gateway_mode_ipv4=isolated is not supported`,
    ],
  ] as const)
    assert.throws(() => read({ [`${prefix}.${option}`]: value }), { message });
});
