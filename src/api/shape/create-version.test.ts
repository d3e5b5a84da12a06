import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerCreateBody } from '../../wire/container.ts';
import { createBodyOf } from './create-version.ts';

const BODY: ContainerCreateBody = {
  Healthcheck: { Test: ['CMD', 'true'], StartInterval: 5 },
  NetworkingConfig: { EndpointsConfig: { n: { MacAddress: '02:42:00:00:00:01', GwPriority: 7 }, m: null } },
  HostConfig: {
    AutoRemove: true,
    ConsoleSize: [10, 20],
    Annotations: { a: 'b' },
    Mounts: [
      { Type: 'bind', Target: '/b', BindOptions: { NonRecursive: true, CreateMountpoint: true } },
      { Type: 'volume', Target: '/v', VolumeOptions: { Subpath: 's' } },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { Options: [['exec']] } },
    ],
  },
};

const NEWEST = 51;
const endpointIn = ({ NetworkingConfig }: ContainerCreateBody) => NetworkingConfig?.EndpointsConfig?.['n'];
/** The first version that knows a field, and how to read it. */
const since: [string, number, (body: ContainerCreateBody) => unknown][] = [
  ['AutoRemove', 25, ({ HostConfig }) => HostConfig?.AutoRemove || undefined],
  ['BindOptions.NonRecursive', 40, ({ HostConfig }) => HostConfig?.Mounts?.[0]?.BindOptions?.NonRecursive || undefined],
  ['ConsoleSize', 42, ({ HostConfig }) => HostConfig?.ConsoleSize],
  [
    'BindOptions.CreateMountpoint',
    42,
    ({ HostConfig }) => HostConfig?.Mounts?.[0]?.BindOptions?.CreateMountpoint || undefined,
  ],
  ['Annotations', 43, ({ HostConfig }) => HostConfig?.Annotations],
  ['StartInterval', 44, ({ Healthcheck }) => Healthcheck?.StartInterval],
  ['VolumeOptions.Subpath', 45, ({ HostConfig }) => HostConfig?.Mounts?.[1]?.VolumeOptions?.Subpath || undefined],
  ['MacAddress of an endpoint', 44, (body) => endpointIn(body)?.MacAddress],
  ['GwPriority', 48, (body) => endpointIn(body)?.GwPriority],
  ['TmpfsOptions.Options', 46, ({ HostConfig }) => HostConfig?.Mounts?.[2]?.TmpfsOptions?.Options?.[0]],
];
for (const [field, version, read] of since)
  test(`${field} came with 1.${version}`, () => {
    assert.equal(read(createBodyOf(BODY, version - 1)), undefined);
    assert.deepEqual(read(createBodyOf(BODY, version)), read(BODY));
    assert.deepEqual(read(createBodyOf(BODY, NEWEST)), read(BODY));
  });

test('before 1.40 containers let others join their IPC namespace', () => {
  assert.equal(createBodyOf({}, 39).HostConfig?.IpcMode, 'shareable');
  assert.equal(createBodyOf({ HostConfig: { IpcMode: 'host' } }, 39).HostConfig?.IpcMode, 'host');
  assert.equal(createBodyOf({}, 40).HostConfig?.IpcMode, undefined);
});

test('a body without these fields gets none', () => {
  assert.deepEqual(createBodyOf({ Image: 'x' }, NEWEST), { Image: 'x', HostConfig: {} });
});
