import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import { checkSharedNamespaces, withContainerIds } from './shared-namespaces.ts';

const OTHER = 'container:other';
const PORTS = { '80/tcp': [{ HostIp: '', HostPort: '80' }] };

const refused: [string, ContainerConfig, HostConfig, RegExp][] = [
  ['no name', {}, { NetworkMode: 'container:' }, /invalid container format/],
  ['hostname', { Hostname: 'h' }, { NetworkMode: OTHER }, /^conflicting options: hostname and the network mode$/],
  ['links', {}, { NetworkMode: OTHER, Links: ['a'] }, /container type network can't be used with links/],
  ['dns', {}, { NetworkMode: OTHER, Dns: ['1.1.1.1'] }, /dns and the network mode/],
  ['hosts', {}, { NetworkMode: OTHER, ExtraHosts: ['a:1.1.1.1'] }, /custom host-to-IP mapping/],
  ['mac', { MacAddress: '02:00:00:00:00:01' }, { NetworkMode: OTHER }, /mac-address/],
  ['mac on the host', { MacAddress: '02:00:00:00:00:01' }, { NetworkMode: 'host' }, /mac-address/],
  ['ports', {}, { NetworkMode: OTHER, PortBindings: PORTS }, /port publishing/],
  ['all ports', {}, { NetworkMode: OTHER, PublishAllPorts: true }, /port publishing/],
  ['exposed ports', { ExposedPorts: { '80/tcp': {} } }, { NetworkMode: OTHER }, /port exposing/],
  ['hostname of the host', { Hostname: 'h' }, { UTSMode: 'host' }, /hostname and the UTS mode/],
  ['links on the host', {}, { NetworkMode: 'host', Links: ['a'] }, /host type networking can't be used with links/],
];
for (const [name, config, host, message] of refused)
  test(`refused in a namespace of others: ${name}`, () =>
    assert.throws(() => checkSharedNamespaces(config, host), { kind: 'invalid', message }));

test('ports on the network of the host are warned of, everything else goes through', () => {
  assert.match(checkSharedNamespaces({}, { NetworkMode: 'host', PortBindings: PORTS }).join(), /are discarded/);
  assert.deepEqual(checkSharedNamespaces({ Hostname: 'h' }, { NetworkMode: 'bridge', PortBindings: PORTS }), []);
  assert.deepEqual(checkSharedNamespaces({}, { NetworkMode: OTHER }), []);
});

test('other containers must be there at creation, and stand in the record by their IDs', () => {
  const find = (ref: string) => {
    if (ref !== 'other') throw new Failure('not-found', 'CONTAINER_NOT_FOUND', `No such container: ${ref}`);
    return { id: 'id-of-other', record: { hostConfig: {} } };
  };
  const host = { IpcMode: OTHER, PidMode: OTHER, NetworkMode: OTHER, Links: ['other:alias'] };
  const known = 'container:id-of-other';
  const Links = ['id-of-other:alias'];
  assert.deepEqual(withContainerIds(host, find), { IpcMode: known, PidMode: known, NetworkMode: known, Links });
  assert.deepEqual(withContainerIds({ Links: ['other', '/other:/web/a'] }, find), {
    Links: ['id-of-other:other', 'id-of-other:a'],
  });
  for (const later of [{ NetworkMode: 'container:nope' }, { IpcMode: 'host', NetworkMode: 'bridge' }, {}])
    assert.deepEqual(withContainerIds(later, find), later);
  for (const missing of [{ IpcMode: 'container:nope' }, { PidMode: 'container:nope' }])
    assert.throws(() => withContainerIds(missing, find), { kind: 'invalid', message: 'No such container: nope' });
  assert.throws(() => withContainerIds({ Links: ['nope:x'] }, find), {
    message: 'could not get container for nope: No such container: nope',
  });
  const onHost = { id: 'id', record: { hostConfig: { NetworkMode: 'host' } } };
  assert.throws(() => withContainerIds({ Links: ['other'] }, () => onHost), {
    message: /^conflicting options: host type/,
  });
});
