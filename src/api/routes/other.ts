import { Failure } from '../../lib/error.ts';
import type { Method, Route } from '../router.ts';

const SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
const NO_SWARM = 'swarms are not supported by this host';

/** Parts of the API that clients ask about and that Strake does not have. */
export const otherRoutes: readonly Route<object>[] = [
  { method: 'GET', path: '/plugins', handle: (_, exchange) => exchange.answer(200, []) },
  {
    method: 'GET',
    path: '/plugins/{name*}/json',
    handle: (_, exchange) => {
      throw new Failure('not-found', 'NO_PLUGIN', `plugin "${exchange.param('name')}" not found`);
    },
  },
  ...['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((kind) => [
    refusal('GET', `/${kind}`, 'unavailable', SWARM),
    refusal('GET', `/${kind}/{id}`, 'unavailable', SWARM),
  ]),
  refusal('POST', '/swarm/init', 'unsupported', NO_SWARM),
  refusal('POST', '/swarm/join', 'unsupported', NO_SWARM),
];

function refusal(method: Method, path: string, kind: 'unavailable' | 'unsupported', message: string): Route<object> {
  const code = kind === 'unavailable' ? 'NO_SWARM' : 'NOT_SUPPORTED';
  return {
    method,
    path,
    handle: () => {
      throw new Failure(kind, code, message);
    },
  };
}
