import { Failure, isFailure } from '../../lib/error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type {
  CommitBackend,
  ContainerBackend,
  PauseBackend,
  StopQuery,
  TerminalSize,
  WaitCondition,
} from '../backend/containers.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import type { Exchange } from '../exchange.ts';
import { readFilters } from '../filters.ts';
import { joinStreams } from '../hijack.ts';
import type { Query } from '../query.ts';
import { optionalTarget } from '../reference.ts';
import type { Route } from '../router.ts';
import { checkEndpoints, shapeContainerInspect, shapeContainerSummary } from '../shape/container.ts';
import { containerConfig, createBody, updateBody } from '../shape/create-body.ts';
import { createBodyOf } from '../shape/create-version.ts';
import { openWebSocket } from '../websocket.ts';

const LIST_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

export const containerRoutes: readonly Route<ContainerBackend>[] = [
  { method: 'GET', path: '/containers/json', handle: list },
  {
    method: 'GET',
    path: '/containers/{id}/json',
    handle: async (containers, exchange) => {
      const { query, signal } = exchange;
      const container = await containers.inspect(exchange.param('id'), { size: query.flag('size'), signal });
      exchange.answer(200, shapeContainerInspect(container, exchange.version));
    },
  },
  { method: 'POST', path: '/containers/create', handle: create },
  {
    method: 'POST',
    path: '/containers/{id}/start',
    handle: async (containers, exchange) =>
      exchange.empty((await containers.start(exchange.param('id'), exchange)) ? 204 : 304),
  },
  {
    method: 'POST',
    path: '/containers/{id}/stop',
    handle: async (containers, exchange) =>
      exchange.empty((await containers.stop(exchange.param('id'), stopQuery(exchange))) ? 204 : 304),
  },
  {
    method: 'POST',
    path: '/containers/{id}/restart',
    handle: async (containers, exchange) => {
      await containers.restart(exchange.param('id'), stopQuery(exchange));
      exchange.empty(204);
    },
  },
  {
    method: 'POST',
    path: '/containers/{id}/kill',
    handle: async (containers, exchange) => {
      const signalName = exchange.query.optional('signal');
      const id = exchange.param('id');
      try {
        await containers.kill(id, { signalName, signal: exchange.signal });
      } catch (error) {
        throw within(`cannot kill container: ${id}`, error);
      }
      exchange.empty(204);
    },
  },
  {
    method: 'POST',
    path: '/containers/{id}/rename',
    handle: async (containers, exchange) => {
      const name = exchange.query.text('name').replace(/^\//, '');
      if (name === '') throw new Failure('invalid', 'NAME_MISSING', 'Neither old nor new names may be empty');
      try {
        await containers.rename(exchange.param('id'), name, exchange);
      } catch (error) {
        throw isNameRefusal(error) ? within('Error when allocating new name', error) : error;
      }
      exchange.empty(204);
    },
  },
  {
    method: 'POST',
    path: '/containers/{id}/update',
    handle: async (containers, exchange) => {
      const { PidsLimit, ...older } = (await exchange.json(updateBody)) ?? {};
      const changes = PidsLimit === undefined || exchange.version < 40 ? older : { ...older, PidsLimit };
      const warnings = await containers.update(exchange.param('id'), changes, exchange);
      exchange.answer(200, { Warnings: warnings.length === 0 ? null : warnings });
    },
  },
  { method: 'POST', path: '/containers/{id}/wait', handle: wait },
  { method: 'POST', path: '/containers/{id}/attach', hijack: true, handle: attach },
  { method: 'GET', path: '/containers/{id}/attach/ws', hijack: true, handle: attachWebSocket },
  {
    method: 'POST',
    path: '/containers/{id}/resize',
    handle: async (containers, exchange) => {
      await containers.resize(exchange.param('id'), readSize(exchange.query), exchange);
      exchange.empty(200);
    },
  },
  {
    method: 'POST',
    path: '/containers/prune',
    since: 25,
    handle: async (containers, exchange) => {
      const filters = readFilters(exchange.query, ['label', 'label!', 'until']);
      exchange.answer(200, await containers.prune({ filters, signal: exchange.signal }));
    },
  },
  { method: 'DELETE', path: '/containers/{id}', handle: remove },
];

export const pauseRoutes: readonly Route<PauseBackend>[] = [
  {
    method: 'POST',
    path: '/containers/{id}/pause',
    handle: async (backend, exchange) => {
      await backend.pause(exchange.param('id'), exchange);
      exchange.empty(204);
    },
  },
  {
    method: 'POST',
    path: '/containers/{id}/unpause',
    handle: async (backend, exchange) => {
      await backend.unpause(exchange.param('id'), exchange);
      exchange.empty(204);
    },
  },
];

export const commitRoutes: readonly Route<CommitBackend>[] = [
  {
    method: 'POST',
    path: '/commit',
    handle: async (backend, exchange) => {
      const { query, signal } = exchange;
      const container = query.text('container');
      if (container === '') throw new Failure('invalid', 'CONTAINER_MISSING', 'invalid name or ID supplied: ""');
      const { image } = await backend.commit(container, {
        target: optionalTarget(query.text('repo'), query.text('tag')),
        comment: query.text('comment'),
        author: query.text('author'),
        changes: query.list('changes'),
        pause: query.flag('pause', true),
        config: await exchange.json(containerConfig),
        signal,
      });
      exchange.answer(201, { Id: image });
    },
  },
];

async function list(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const filters = readFilters(query, LIST_FILTERS);
  const limit = query.integer('limit') ?? 0;
  const rows = await containers.list({
    all: query.flag('all'),
    limit: Math.max(0, limit),
    size: query.flag('size'),
    filters,
    signal,
  });
  const shaped = rows.map((row) => shapeContainerSummary(row, exchange.version));
  exchange.answer(200, shaped);
}

async function create(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const platform = exchange.version >= 41 ? query.optional('platform') : undefined;
  const body = await exchange.json(createBody);
  const { HostConfig: _host, NetworkingConfig: _networks, ...config } = body ?? {};
  if (!body || Object.keys(config).length === 0)
    throw new Failure('invalid', 'CONFIG_MISSING', 'config cannot be empty in order to create a container');
  checkEndpoints(body, exchange.version);
  const created = await containers.create({
    name: query.optional('name')?.replace(/^\//, ''),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    body: createBodyOf(body, exchange.version),
    signal,
  });
  exchange.answer(201, created);
}

/** The name that a container has already is another matter to Docker. */
function isNameRefusal(error: unknown): boolean {
  return isFailure(error, 'conflict') || (isFailure(error) && error.code === 'CONTAINER_NAME_INVALID');
}

function stopQuery({ query, signal, version }: Exchange): StopQuery & { signal: AbortSignal } {
  const signalName = version >= 42 ? query.optional('signal') : undefined;
  return { seconds: query.integer('t'), signalName, signal };
}

/** A failure with what was being done said before its message, as Docker says it. */
function within(doing: string, error: unknown): unknown {
  if (!isFailure(error)) return error;
  return new Failure(error.kind, error.code, `${doing}: ${error.message}`, { cause: error });
}

/** The head goes out as soon as the container is watched: clients start it only after they have seen it. */
async function wait(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, response, signal } = exchange;
  const condition = readCondition(query.text('condition'));
  const { exit } = await containers.wait(exchange.param('id'), { condition, signal });
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  const { exitCode, error } = await exit;
  const reason = error === undefined ? {} : { Error: { Message: error } };
  response.end(`${JSON.stringify({ StatusCode: exitCode, ...reason })}\n`);
}

function readCondition(condition: string): WaitCondition {
  switch (condition) {
    case '':
    case 'not-running':
      return 'not-running';
    case 'next-exit':
    case 'removed':
      return condition;
    default:
      throw new Failure('invalid', 'CONDITION_INVALID', `invalid condition: "${condition}"`);
  }
}

async function attach(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  await exchange.dropBody();
  const streams = await containers.attach(exchange.param('id'), {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    signal,
  });
  await joinStreams(exchange, streams, detachKeys);
}

/** Before 1.42 all three streams were meant, whatever the query said. */
async function attachWebSocket(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, signal, version } = exchange;
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  const wants = (name: string) => version < 42 || query.flag(name);
  const streams = await containers.attach(exchange.param('id'), {
    stdin: wants('stdin'),
    stdout: wants('stdout'),
    stderr: wants('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    signal,
  });
  await joinStreams(exchange, streams, detachKeys, openWebSocket);
}

async function remove(containers: ContainerBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  if (query.flag('link')) throw new Failure('unsupported', 'LINK', 'removing a link is not supported by this host');
  await containers.remove(exchange.param('id'), { volumes: query.flag('v'), force: query.flag('force'), signal });
  exchange.empty(204);
}

/** Size of a terminal from `h` and `w`. */
export function readSize(query: Query): TerminalSize {
  return { height: side(query, 'h'), width: side(query, 'w') };
}

function side(query: Query, name: string): number {
  const value = query.integer(name);
  if (value === undefined)
    throw new Failure('invalid', 'SIZE_MISSING', `the parameter "${name}" of a terminal size is needed`);
  if (value < 0 || value > 0xffff) throw new Failure('invalid', 'SIZE_INVALID', `invalid terminal size ${value}`);
  return value;
}
