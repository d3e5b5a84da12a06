import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readImageConfig } from './image-config.ts';

test('an image config as it should be', () => {
  const config = readImageConfig({
    created: '2026-11-22T05:15:00Z',
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
    config: { Cmd: ['sh'], Env: ['A=b'], Labels: { a: 'b' }, Volumes: { '/v': {} }, Healthcheck: { Test: ['NONE'] } },
    history: [
      { created_by: 'ADD x /', comment: 'c' },
      { created_by: 'CMD sh', empty_layer: true },
    ],
  });
  assert.deepEqual([config.platform, config.settings.Cmd, config.settings.Env], ['linux/arm/v7', ['sh'], ['A=b']]);
  assert.deepEqual(config.settings.Healthcheck, { Test: ['NONE'] });
  assert.deepEqual(
    config.history.map(({ createdBy, comment, isEmpty }) => [createdBy, comment, isEmpty]),
    [
      ['ADD x /', 'c', false],
      ['CMD sh', '', true],
    ],
  );
});

test('of a config that is none, nothing is left but what can be shown', () => {
  const hostile = readImageConfig({
    os: 7,
    config: { Cmd: 'sh', Env: [1, 'A=b', null], Labels: { a: {} }, Volumes: ['/v'] },
    history: [null, 'x', { created_by: 3, empty_layer: 'yes' }],
  });
  assert.deepEqual([hostile.platform, hostile.settings.Cmd, hostile.settings.Env], ['', [], ['A=b']]);
  assert.deepEqual([hostile.settings.Labels, hostile.settings.Volumes], [{ a: '[object Object]' }, {}]);
  assert.deepEqual(hostile.history[2], { created: undefined, createdBy: '', comment: '', isEmpty: false });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { settings, history } = readImageConfig({ config: value, history: value });
      for (const list of [settings.Cmd, settings.Env, settings.OnBuild])
        assert.ok(list?.every((one) => typeof one === 'string'));
      assert.ok(history.every(({ createdBy }) => typeof createdBy === 'string'));
    }),
  );
});
