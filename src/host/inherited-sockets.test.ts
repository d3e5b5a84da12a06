import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inheritedSockets } from './inherited-sockets.ts';

// That sockets are found is for test/system/host.test.ts: here descriptor 3 is something else.
for (const [name, env] of Object.entries({
  'no socket': {},
  'sockets for another process': { LISTEN_PID: '78', LISTEN_FDS: '1' },
  'a number that is none': { LISTEN_PID: '77', LISTEN_FDS: '1e9' },
  'no descriptor': { LISTEN_PID: '77', LISTEN_FDS: '0' },
  'a descriptor that is no socket': { LISTEN_PID: '77', LISTEN_FDS: '1' },
}))
  test(`refused: ${name}`, () => {
    const given = { ...env, PATH: '/bin' };
    assert.throws(() => inheritedSockets(given, 77), { code: 'NO_INHERITED_SOCKET', kind: 'invalid' });
    assert.deepEqual(given, { PATH: '/bin' });
  });
