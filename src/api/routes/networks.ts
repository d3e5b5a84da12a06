import { Failure } from '../../lib/error.ts';
import type { NetworkBackend, VolumeBackend } from '../backend/networks.ts';
import { flag, list, map, object, text } from '../check.ts';
import { flagFilter, readFilters } from '../filters.ts';
import type { Route } from '../router.ts';
import { endpointConfig } from '../shape/create-body.ts';
import { endpointOf } from '../shape/create-version.ts';

const NETWORK_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
const VOLUME_FILTERS = ['dangling', 'driver', 'label', 'name'];
const NETWORK_PRUNE_FILTERS = ['label', 'label!', 'until'];
const VOLUME_PRUNE_FILTERS = ['all', 'label', 'label!'];

const networkBody = object({
  Name: text,
  Driver: text,
  Internal: flag,
  Attachable: flag,
  EnableIPv6: flag,
  IPAM: object({
    Driver: text,
    Options: map(text),
    Config: list(object({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: map(text) })),
  }),
  Options: map(text),
  Labels: map(text),
  Scope: text,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: object({ Network: text }),
});
const connectBody = object({ Container: text, EndpointConfig: endpointConfig });
const disconnectBody = object({ Container: text, Force: flag });
const volumeBody = object({ Name: text, Driver: text, DriverOpts: map(text), Labels: map(text) });

export const networkRoutes: readonly Route<NetworkBackend>[] = [
  {
    method: 'GET',
    path: '/networks',
    handle: async (networks, exchange) => {
      const filters = readFilters(exchange.query, NETWORK_FILTERS);
      exchange.answer(200, await networks.list({ filters, signal: exchange.signal }));
    },
  },
  {
    method: 'GET',
    path: '/networks/{id}',
    handle: async (networks, exchange) => exchange.answer(200, await networks.inspect(exchange.param('id'), exchange)),
  },
  {
    method: 'POST',
    path: '/networks/create',
    handle: async (networks, exchange) => {
      const { Scope, Ingress, ConfigOnly, ConfigFrom, ...body } = (await exchange.json(networkBody)) ?? {};
      if (Scope === 'swarm') throw noSwarm('cannot create a swarm scoped network when swarm is not active');
      if (Ingress) throw noSwarm('Ingress network can only be global scope network');
      if (ConfigOnly || ConfigFrom?.Network)
        throw new Failure(
          'unsupported',
          'CONFIG_ONLY',
          'networks that are a configuration alone are not supported by this host',
        );
      const Name = required(body.Name, 'network name');
      exchange.answer(201, await networks.create({ ...body, Name }, exchange));
    },
  },
  {
    method: 'POST',
    path: '/networks/prune',
    since: 25,
    handle: async (networks, exchange) => {
      const filters = readFilters(exchange.query, NETWORK_PRUNE_FILTERS);
      exchange.answer(200, await networks.prune({ filters, signal: exchange.signal }));
    },
  },
  {
    method: 'POST',
    path: '/networks/{id}/connect',
    handle: async (networks, exchange) => {
      const body = (await exchange.json(connectBody)) ?? {};
      const Container = required(body.Container, 'container');
      const { EndpointConfig, ...rest } = body;
      const config = EndpointConfig ? { EndpointConfig: endpointOf(EndpointConfig, exchange.version) } : {};
      await networks.connect(exchange.param('id'), { ...rest, ...config, Container }, exchange);
      exchange.empty(200);
    },
  },
  {
    method: 'POST',
    path: '/networks/{id}/disconnect',
    handle: async (networks, exchange) => {
      const body = (await exchange.json(disconnectBody)) ?? {};
      const options = { force: body.Force ?? false, signal: exchange.signal };
      await networks.disconnect(exchange.param('id'), required(body.Container, 'container'), options);
      exchange.empty(200);
    },
  },
  {
    method: 'DELETE',
    path: '/networks/{id}',
    handle: async (networks, exchange) => {
      await networks.remove(exchange.param('id'), exchange);
      exchange.empty(204);
    },
  },
];

export const volumeRoutes: readonly Route<VolumeBackend>[] = [
  {
    method: 'GET',
    path: '/volumes',
    handle: async (volumes, exchange) => {
      const filters = readFilters(exchange.query, VOLUME_FILTERS);
      flagFilter(filters, 'dangling');
      exchange.answer(200, await volumes.list({ filters, signal: exchange.signal }));
    },
  },
  {
    method: 'GET',
    path: '/volumes/{name}',
    handle: async (volumes, exchange) => exchange.answer(200, await volumes.inspect(exchange.param('name'), exchange)),
  },
  {
    method: 'POST',
    path: '/volumes/create',
    handle: async (volumes, exchange) =>
      exchange.answer(201, await volumes.create((await exchange.json(volumeBody)) ?? {}, exchange)),
  },
  {
    method: 'POST',
    path: '/volumes/prune',
    since: 25,
    handle: async (volumes, exchange) => {
      const { all, ...filters } = readFilters(exchange.query, VOLUME_PRUNE_FILTERS);
      // Before 1.42 every unused volume was meant.
      const wanted = exchange.version < 42 || (flagFilter({ all: all ?? [] }, 'all') ?? false);
      exchange.answer(200, await volumes.prune({ filters, all: wanted, signal: exchange.signal }));
    },
  },
  {
    method: 'DELETE',
    path: '/volumes/{name}',
    handle: async (volumes, exchange) => {
      const options = { force: exchange.query.flag('force'), signal: exchange.signal };
      await volumes.remove(exchange.param('name'), options);
      exchange.empty(204);
    },
  },
];

function noSwarm(message: string): Failure {
  return new Failure('denied', 'NO_SWARM', message);
}

function required(value: string | undefined, what: string): string {
  if (!value) throw new Failure('invalid', 'FIELD_MISSING', `a ${what} is needed`);
  return value;
}
