import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunConfig } from '../../oci/image-config.ts';
import { rebaseConfig } from './rebase-config.ts';

const CASES: readonly [name: string, image: RunConfig, base: RunConfig, onto: RunConfig, result: RunConfig][] = [
  [
    'variables: own ones stay, inherited ones follow the base, dropped ones go',
    { Env: ['PATH=/bin', 'OWN=1', 'SET=mine', 'OLD=1'] },
    { Env: ['PATH=/bin', 'SET=base', 'OLD=1'] },
    { Env: ['PATH=/usr/bin:/bin', 'SET=patched', 'NEW=1'] },
    { Env: ['PATH=/usr/bin:/bin', 'SET=mine', 'NEW=1', 'OWN=1'] },
  ],
  [
    'a label that the image took away stays away',
    { Labels: { own: 'x' } },
    { Labels: { base: '1' } },
    { Labels: { base: '2', more: '3' } },
    { Labels: { more: '3', own: 'x' } },
  ],
  [
    'ports and volumes are joined',
    { ExposedPorts: { '80/tcp': {}, '90/tcp': {} }, Volumes: { '/data': {} } },
    { ExposedPorts: { '80/tcp': {} } },
    { ExposedPorts: { '81/tcp': {} } },
    { ExposedPorts: { '81/tcp': {}, '90/tcp': {} }, Volumes: { '/data': {} } },
  ],
  [
    'single settings: own or the new base',
    { Cmd: ['own'], User: 'app', WorkingDir: '/base' },
    { Cmd: ['base'], User: 'app', WorkingDir: '/base' },
    { Cmd: ['new'], User: 'web', StopSignal: 'SIGINT' },
    { Cmd: ['own'], User: 'web', StopSignal: 'SIGINT' },
  ],
  [
    'triggers of the new base do not stay',
    { OnBuild: ['RUN own'] },
    {},
    { OnBuild: ['RUN base'] },
    { OnBuild: ['RUN own'] },
  ],
  ['nothing set anywhere', {}, {}, {}, {}],
];
for (const [name, image, base, onto, result] of CASES)
  test(`rebase: ${name}`, () => assert.deepEqual(rebaseConfig(image, base, onto), result));

test('rebase onto the same base changes nothing', () => {
  const base: RunConfig = { Env: ['A=1'], Cmd: ['sh'], Labels: { a: 'b' } };
  const image: RunConfig = { Env: ['A=1', 'B=2'], Cmd: ['app'], Labels: { a: 'b', c: 'd' } };
  assert.deepEqual(rebaseConfig(image, base, base), image);
});
