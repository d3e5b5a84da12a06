import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canLockMountsBelow } from '../host/mount.ts';
import { parseImageId } from '../oci/digest.ts';
import type { HostConfig } from '../wire/container.ts';
import { mountPoints, specMounts } from './mount-forms.ts';
import { type MountSources, planMounts } from './mounts.ts';

const sources: MountSources = {
  volume: (volume) => ({ ...volume, created: 0, path: `/volumes/${volume.name}` }),
  image: () => ({ id: parseImageId(`sha256:${'0'.repeat(64)}`), layers: [] }),
  place: () => '/place',
  mountsOf: () => planMounts({}, { Binds: ['inherited:/i:ro'] }, sources),
};
const plan = (host: HostConfig) => planMounts({}, host, sources);

const modes: [string, HostConfig, string, boolean][] = [
  ['a volume', { Binds: ['vol:/x'] }, 'z', true],
  ['a volume with a mode', { Binds: ['vol:/x:nocopy,ro'] }, 'nocopy,ro', false],
  ['a folder', { Binds: ['/tmp:/x'] }, '', true],
  ['a folder with a mode', { Binds: ['/tmp:/x:rslave,z'] }, 'rslave,z', true],
  ['an anonymous volume', { Binds: ['/x'] }, '', true],
  ['a volume as a mount', { Mounts: [{ Type: 'volume', Target: '/x', ReadOnly: true }] }, 'z', false],
  ['a folder as a mount', { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', ReadOnly: true }] }, '', false],
  ['what another container has', { VolumesFrom: ['other'] }, '', false],
  ['what another container has, with modes', { VolumesFrom: ['other:rw,z'] }, '', false],
];
for (const [name, host, mode, writable] of modes)
  test(`mode as inspect shows it: ${name}`, () => {
    const [point] = mountPoints(plan(host));
    assert.equal(point?.Mode, mode);
    assert.equal(point?.RW, writable);
  });

const wrong: [string, HostConfig, RegExp][] = [
  ['two of a kind', { Binds: ['/tmp:/x:ro,rw'] }, /^invalid mode: ro,rw$/],
  ['propagation of a volume', { Binds: ['vol:/x:rslave'] }, /field BindOptions must not be specified/],
  ['nocopy of a folder', { Binds: ['/tmp:/x:nocopy'] }, /field VolumeOptions must not be specified/],
  ['no source', { Mounts: [{ Type: 'bind', Target: '/x' }] }, /field Source must not be empty/],
  ['two modes of a kind to take with', { VolumesFrom: ['other:ro,rw'] }, /^invalid mode: ro,rw$/],
  ['no mode to take with', { VolumesFrom: ['other:nocopy'] }, /^invalid mode: nocopy$/],
  ['nobody to take from', { VolumesFrom: [''] }, /cannot be an empty string/],
  ['volume driver', { Binds: ['vol:/x'], VolumeDriver: 'nope' }, /plugin "nope" not found/],
  [
    'volume driver of a mount',
    { Mounts: [{ Type: 'volume', Target: '/x', VolumeOptions: { DriverConfig: { Name: 'nope' } } }] },
    /plugin "nope" not found/,
  ],
  [
    'volume option of a mount',
    { Mounts: [{ Type: 'volume', Target: '/x', VolumeOptions: { DriverConfig: { Options: { size: '1m' } } } }] },
    /no quota support/,
  ],
  [
    'part of a volume without a name',
    { Mounts: [{ Type: 'volume', Target: '/x', VolumeOptions: { Subpath: 'a' } }] },
    /must not set Subpath when using anonymous volumes/,
  ],
  [
    'part above a volume',
    { Mounts: [{ Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: 'a/../..' } }] },
    /subpath must be a relative path within the volume/,
  ],
  [
    'part of an image from its root',
    { Mounts: [{ Type: 'image', Source: 'i', Target: '/x', ImageOptions: { Subpath: '/a' } }] },
    /subpath must be a relative path within the volume/,
  ],
  ['no image', { Mounts: [{ Type: 'image', Target: '/x' }] }, /field Source must not be empty/],
  [
    'options of another type',
    { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', ImageOptions: { Subpath: 'a' } }] },
    /field ImageOptions must not be specified/,
  ],
  [
    'read-only below a writable mount',
    { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', BindOptions: { ReadOnlyForceRecursive: true } }] },
    /need a read-only mount/,
  ],
];
for (const [name, host, message] of wrong)
  test(`wrong mount: ${name}`, () => assert.throws(() => plan(host), { message }));

test('a read-only folder is read-only with all that is mounted below it, unless stated otherwise', () => {
  const rights = (host: HostConfig) => specMounts(plan(host))[0]?.options.at(-1);
  const mount = { Type: 'bind', Source: '/tmp', Target: '/x', ReadOnly: true };
  const locked = canLockMountsBelow() ? 'rro' : 'ro';
  assert.equal(rights({ Binds: ['/tmp:/x:ro'] }), locked);
  assert.equal(rights({ Mounts: [mount] }), locked);
  assert.equal(rights({ Mounts: [{ ...mount, BindOptions: { ReadOnlyNonRecursive: true } }] }), 'ro');
  assert.equal(rights({ Mounts: [{ ...mount, BindOptions: { NonRecursive: true } }] }), 'ro');
  // crun takes the other form for folders only
  assert.equal(rights({ Binds: ['/etc/passwd:/x:ro'] }), 'ro');
});
