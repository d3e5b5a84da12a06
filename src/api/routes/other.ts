import { type ErrorKind, Failure } from '../../lib/error.ts';
import type { Exchange } from '../exchange.ts';
import type { Method, Route } from '../router.ts';

const NO_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** Parts of the API that clients ask about and that Strake does not have: it answers as an engine that is in no swarm. */
export const otherRoutes: readonly Route<object>[] = [
  refusal('POST', '/swarm/init', 'unsupported', () => 'swarms are not supported by this host'),
  refusal('POST', '/swarm/join', 'unsupported', () => 'swarms are not supported by this host'),
  refusal('POST', '/swarm/leave', 'unavailable', () => 'This node is not part of a swarm'),
  ...['', '/unlockkey'].map((path) => refusal('GET', `/swarm${path}`, 'unavailable', () => NO_MANAGER)),
  ...['update', 'unlock'].map((path) => refusal('POST', `/swarm/${path}`, 'unavailable', () => NO_MANAGER)),
  ...['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((kind) => [
    refusal('GET', `/${kind}`, 'unavailable', () => NO_MANAGER),
    refusal('GET', `/${kind}/{id}`, 'unavailable', () => NO_MANAGER),
    refusal('GET', `/${kind}/{id}/logs`, 'unavailable', () => NO_MANAGER),
    refusal('POST', `/${kind}/create`, 'unavailable', () => NO_MANAGER),
    refusal('POST', `/${kind}/{id}/update`, 'unavailable', () => NO_MANAGER),
    refusal('DELETE', `/${kind}/{id}`, 'unavailable', () => NO_MANAGER),
  ]),
  refusal(
    'PUT',
    '/volumes/{name}',
    'unavailable',
    () => 'volume update only valid for cluster volumes, but swarm is unavailable',
  ),
  { method: 'GET', path: '/plugins', handle: (_, exchange) => exchange.answer(200, []) },
  ...['pull', 'create'].map((path) => refusal('POST', `/plugins/${path}`, 'unsupported', () => NO_PLUGINS)),
  refusal('GET', '/plugins/privileges', 'unsupported', () => NO_PLUGINS),
  refusal('GET', '/plugins/{name*}/json', 'not-found', noPlugin),
  ...['enable', 'disable', 'push', 'set', 'upgrade'].map((verb) =>
    refusal('POST', `/plugins/{name*}/${verb}`, 'not-found', noPlugin),
  ),
  refusal('DELETE', '/plugins/{name*}', 'not-found', noPlugin),
  refusal('GET', '/containers/{id}/checkpoints', 'unsupported', () => NO_CHECKPOINTS),
  refusal('POST', '/containers/{id}/checkpoints', 'unsupported', () => NO_CHECKPOINTS),
  refusal('DELETE', '/containers/{id}/checkpoints/{name}', 'unsupported', () => NO_CHECKPOINTS),
];

const NO_PLUGINS = 'plugins are not supported by this host';
const NO_CHECKPOINTS = 'checkpoints of containers are not supported by this host';

function noPlugin(exchange: Exchange): string {
  return `plugin "${exchange.param('name')}" not found`;
}

function refusal(
  method: Method,
  path: string,
  kind: ErrorKind,
  message: (exchange: Exchange) => string,
): Route<object> {
  return {
    method,
    path,
    handle: (_, exchange) => {
      throw new Failure(kind, kind === 'unavailable' ? 'NO_SWARM' : 'NOT_SUPPORTED', message(exchange));
    },
  };
}
