import { Failure } from '../lib/error.ts';
import type { ImageId } from '../oci/digest.ts';
import type { Filters } from '../wire/filters.ts';
import type { Container } from './container.ts';
import { healthOf } from './health.ts';
import { portsOf } from './inspect.ts';
import { exitCodeOf, isAlive } from './record.ts';

export interface ListQuery {
  /** Also those that are not running. */
  readonly all: boolean;
  /** Newest so many, of all states; 0 is no limit. */
  readonly limit: number;
  readonly filters: Filters;
  /** Images that `ancestor` names: the image of that name and all that were made from it. */
  readonly ancestors: (image: string) => ReadonlySet<ImageId>;
  /** The container that `before` and `since` name. */
  readonly find: (container: string) => Container;
}

/** Those of `containers` (newest first) that a list request asks for. Unknown filters are a Failure of kind `invalid`. */
export function selectContainers(containers: readonly Container[], query: ListQuery): Container[] {
  const { filters, limit } = query;
  const tests = Object.entries(filters)
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => testFor(key, values, containers, query));
  const anyState = query.all || limit > 0 || 'status' in filters || 'exited' in filters;
  const found = containers.filter(
    (container) =>
      (anyState || isAlive(container.record.phase) || container.record.phase.status === 'restarting') &&
      tests.every((test) => test(container)),
  );
  return limit > 0 ? found.slice(0, limit) : found;
}

type Test = (container: Container) => boolean;

function testFor(
  key: string,
  values: readonly string[],
  containers: readonly Container[],
  { ancestors, find }: ListQuery,
): Test {
  const any = (test: (container: Container, value: string) => boolean): Test => {
    return (container) => values.some((value) => test(container, value));
  };
  switch (key) {
    case 'id':
      return any((container, value) => container.id.startsWith(value));
    case 'name': {
      const patterns = values.map(pattern);
      return ({ name }) => patterns.some((one) => one.test(name) || one.test(`/${name}`));
    }
    case 'status':
      for (const value of values) if (!STATES.has(value)) throw invalid(`invalid filter 'status=${value}'`);
      return any(({ record }, value) => record.phase.status === value);
    case 'exited': {
      const codes = values.map((value) => number(value));
      return ({ record }) => record.phase.status === 'exited' && codes.includes(exitCodeOf(record.phase));
    }
    case 'label':
      return ({ record }) => values.every((value) => hasLabel(record.config.Labels ?? {}, value));
    case 'ancestor': {
      const images = values.map(ancestors);
      return ({ record: { image } }) => image !== undefined && images.some((set) => set.has(image));
    }
    case 'network':
      return any(({ record, run }, value) => {
        const networks = run?.attachment.settings.Networks ?? {};
        const byId = Object.values(networks).some((network) => network.NetworkID === value);
        return value in networks || byId || record.hostConfig.NetworkMode === value;
      });
    case 'volume':
      return any(({ record }, value) =>
        record.mounts.some((mount) => mount.destination === value || (mount.type === 'volume' && mount.name === value)),
      );
    case 'publish':
    case 'expose': {
      const ranges = values.map((value) => portRange(key, value));
      return (container) =>
        portsOf(container).some(({ PrivatePort, PublicPort, Type }) => {
          const port = key === 'publish' ? PublicPort : PrivatePort;
          return ranges.some(({ from, to, type }) => port !== undefined && type === Type && port >= from && port <= to);
        });
    }
    case 'health':
      for (const value of values)
        if (!HEALTH.has(value)) throw invalid(`unrecognized filter value for health: ${value}`);
      return any((container, value) => (healthOf(container)?.Status ?? 'none') === value);
    case 'before':
    case 'since': {
      const limits = values.map((value) => containers.indexOf(find(value)));
      return (container) => {
        const at = containers.indexOf(container);
        return limits.every((limit) => (key === 'before' ? at > limit : at < limit));
      };
    }
    case 'is-task':
      if (!values.every((value) => ['0', '1', 'false', 'true'].includes(value)))
        throw invalid(`invalid filter 'is-task=[${values.join(' ')}]'`);
      return any((_, value) => value === 'false' || value === '0');
    case 'isolation':
      return () => true; // of Windows
    default:
      throw invalid(`invalid filter '${key}'`);
  }
}

const STATES = new Set(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']);
const HEALTH = new Set(['none', 'starting', 'healthy', 'unhealthy']);

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [name = '', value] = wanted.split(/=(.*)/s);
  return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
}

/** `80`, `80/udp` or `80-90/tcp`. */
function portRange(key: string, text: string): { readonly from: number; readonly to: number; readonly type: string } {
  const [, from = '', to = from, type = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (from === '' || Number(from) > Number(to) || Number(to) > 65535)
    throw invalid(`error while looking up for ${key} ${text}: invalid port or range of ports`);
  return { from: Number(from), to: Number(to), type };
}

function number(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw invalid(`invalid value for filter 'exited': "${text}"`);
}

/** Names are matched by regular expression, as a client writes it; one that is none matches as text. */
function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  }
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'FILTER_INVALID', message);
}
