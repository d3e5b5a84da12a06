import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInspect, ContainerSummary, EndpointSettings } from '../../wire/container.ts';
import { checkEndpoints, shapeContainerInspect, shapeContainerSummary } from './container.ts';

const id = '0123456789abcdef'.repeat(4);
const endpoint = { Aliases: ['db'], DNSNames: ['web', 'db', id.slice(0, 12)] } as EndpointSettings; // what is looked at
const bridge = { Aliases: null, DNSNames: null } as EndpointSettings;
const container: unknown = { Id: id, NetworkSettings: { Networks: { front: endpoint, bridge } } };

test('aliases and names of a container by API version', async (t) => {
  const rows: [version: number, aliases: string[], names: string[] | undefined][] = [
    [24, ['db', id.slice(0, 12)], undefined],
    [43, ['db', id.slice(0, 12)], undefined],
    [44, ['db', id.slice(0, 12)], ['web', 'db', id.slice(0, 12)]],
    [45, ['db'], ['web', 'db', id.slice(0, 12)]],
    [51, ['db'], ['web', 'db', id.slice(0, 12)]],
  ];
  for (const [version, aliases, names] of rows)
    await t.test(`1.${version}`, () => {
      const inspect = shapeContainerInspect(container as ContainerInspect, version);
      const summary = shapeContainerSummary(container as ContainerSummary, version);
      for (const { Networks } of [inspect.NetworkSettings, summary.NetworkSettings]) {
        assert.deepEqual([Networks['front']?.Aliases, Networks['front']?.DNSNames], [aliases, names]);
        assert.equal(Networks['bridge']?.Aliases, null);
      }
    });
});

test('several networks at creation came with 1.44', () => {
  const body = { NetworkingConfig: { EndpointsConfig: { b: null, a: null } } };
  checkEndpoints(body, 44);
  checkEndpoints({ NetworkingConfig: { EndpointsConfig: { a: null } } }, 24);
  checkEndpoints({}, 24);
  assert.throws(() => checkEndpoints(body, 43), {
    kind: 'invalid',
    message: 'Container cannot be connected to network endpoints: a, b',
  });
});
