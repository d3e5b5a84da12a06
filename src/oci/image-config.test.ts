import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConfig } from './image-config.ts';

const decode = (document: unknown) => decodeConfig(Buffer.from(JSON.stringify(document)));

const refused: readonly [unknown, RegExp][] = [
  [{ config: 'x' }, /config is not an object/],
  [{ config: { Env: 'A=1' } }, /config\.Env is not a list of strings/],
  [{ config: { Cmd: [1] } }, /config\.Cmd is not a list of strings/],
  [{ config: { Labels: { a: 1 } } }, /config\.Labels is not an object of strings/],
  [{ config: { ExposedPorts: ['80'] } }, /config\.ExposedPorts is not an object/],
  [{ config: { Healthcheck: { Timeout: '30s' } } }, /config\.Healthcheck\.Timeout is not a whole number/],
  [{ config: { Healthcheck: { Test: 'true' } } }, /config\.Healthcheck\.Test is not a list of strings/],
  [{ history: 5 }, /history is not a list of objects/],
  [{ history: [null] }, /history is not a list of objects/],
  [{ rootfs: { diff_ids: 'x' } }, /rootfs\.diff_ids is not a list/],
];
for (const [document, message] of refused)
  test(`an image config that is refused: ${JSON.stringify(document)}`, () => {
    assert.throws(() => decode(document), { kind: 'invalid', message });
  });

test('null stands for a field that is not there', () => {
  const config = { Env: null, Cmd: null, Healthcheck: null, Labels: null, User: null };
  assert.deepEqual(decode({ config, history: null }).config.config, config);
  assert.equal(decode({ config: null }).config.os, '');
});
