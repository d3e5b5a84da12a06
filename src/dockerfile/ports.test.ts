import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePorts } from './ports.ts';

const VALID: readonly (readonly [word: string, ports: string])[] = [
  ['80', '80/tcp'],
  ['80/tcp', '80/tcp'],
  ['53/UDP', '53/udp'],
  ['9/sctp', '9/sctp'],
  ['80/', '80/tcp'],
  ['0', '0/tcp'],
  ['65535', '65535/tcp'],
  ['7000-7002', '7000/tcp 7001/tcp 7002/tcp'],
  ['7000-7000/udp', '7000/udp'],
  ['8080:80', '80/tcp'],
  ['127.0.0.1:8080:80/udp', '80/udp'],
  ['127.0.0.1::80', '80/tcp'],
  ['[::1]:80:81', '81/tcp'],
  ['::1:80:81', '81/tcp'],
  ['8000-8001:80-81', '80/tcp 81/tcp'],
  ['8000-8005:80', '80/tcp'],
];

const INVALID: readonly (readonly [word: string, message: string])[] = [
  ['', 'invalid port: "": no port specified'],
  ['/tcp', 'invalid port: "/tcp": no port specified'],
  ['80/icmp', 'invalid port: "80/icmp": invalid proto: icmp'],
  ['abc', 'invalid containerPort: abc'],
  ['65536', 'invalid containerPort: 65536'],
  ['-1', 'invalid containerPort: -1'],
  ['90-80', 'invalid containerPort: 90-80'],
  ['1-2-3', 'invalid containerPort: 1-2-3'],
  ['x:80', 'invalid hostPort: x'],
  ['host:80:80', 'invalid IP address: host'],
  ['1-3:80-81', 'invalid ranges specified for container and host Ports: 80-81 and 1-3'],
];

for (const [word, ports] of VALID) test(`EXPOSE ${word}`, () => assert.equal(parsePorts([word]).join(' '), ports));
for (const [word, message] of INVALID)
  test(`EXPOSE refuses ${word}`, () => assert.throws(() => parsePorts([word]), { message, code: 'PORT_INVALID' }));

test('ports keep the order written', () => assert.deepEqual(parsePorts(['90', '80/udp']), ['90/tcp', '80/udp']));
