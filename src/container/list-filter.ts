import { Failure } from '../lib/error.ts';
import type { ImageId } from '../oci/digest.ts';
import type { Filters } from '../wire/filters.ts';
import type { Container } from './container.ts';
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
      return any(({ record }, value) =>
        Object.entries(record.hostConfig.PortBindings ?? {}).some(
          ([port, bindings]) => samePort(port, value) || bindings?.some(({ HostPort }) => samePort(HostPort, value)),
        ),
      );
    case 'expose':
      return any(({ record }, value) =>
        Object.keys(record.config.ExposedPorts ?? {}).some((port) => samePort(port, value)),
      );
    case 'health':
      return any(({ health }, value) => (health?.state().Status ?? 'none') === value);
    case 'before':
    case 'since': {
      const limits = values.map((value) => containers.indexOf(find(value)));
      return (container) => {
        const at = containers.indexOf(container);
        return limits.every((limit) => (key === 'before' ? at > limit : at < limit));
      };
    }
    case 'is-task':
      return any((_, value) => value === 'false' || value === '0');
    default:
      throw new Failure('invalid', 'FILTER_INVALID', `invalid filter '${key}'`);
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [name = '', value] = wanted.split(/=(.*)/s);
  return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
}

function samePort(port: string, wanted: string): boolean {
  const full = (text: string) => (text.includes('/') ? text : `${text}/tcp`);
  return full(port) === full(wanted);
}

function number(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new Failure('invalid', 'FILTER_INVALID', `invalid value for filter 'exited': "${text}"`);
}

/** Names are matched by regular expression, as a client writes it; one that is none matches as text. */
function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  }
}
