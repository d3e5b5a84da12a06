import { Failure } from '../../lib/error.ts';
import type { PathStat } from '../../wire/container-details.ts';
import type { ExportBackend, FileBackend, LogBackend, MonitorBackend } from '../backend/container-details.ts';
import type { Exchange } from '../exchange.ts';
import { outputType } from '../hijack.ts';
import type { Route } from '../router.ts';
import { parseTime } from '../time.ts';

export const logRoutes: readonly Route<LogBackend>[] = [{ method: 'GET', path: '/containers/{id}/logs', handle: logs }];

export const monitorRoutes: readonly Route<MonitorBackend>[] = [
  {
    method: 'GET',
    path: '/containers/{id}/top',
    handle: async (monitor, exchange) => {
      const psArgs = exchange.query.optional('ps_args') ?? '-ef';
      exchange.answer(200, await monitor.top(exchange.param('id'), { psArgs, signal: exchange.signal }));
    },
  },
  { method: 'GET', path: '/containers/{id}/stats', handle: stats },
];

export const exportRoutes: readonly Route<ExportBackend>[] = [
  {
    method: 'GET',
    path: '/containers/{id}/export',
    handle: async (exports, exchange) =>
      exchange.send(await exports.export(exchange.param('id'), exchange), 'application/octet-stream'),
  },
];

export const fileRoutes: readonly Route<FileBackend>[] = [
  {
    method: 'GET',
    path: '/containers/{id}/changes',
    handle: async (files, exchange) => {
      const rows = await files.changes(exchange.param('id'), exchange);
      exchange.answer(200, rows.length === 0 ? null : rows);
    },
  },
  {
    method: 'HEAD',
    path: '/containers/{id}/archive',
    handle: async (files, exchange) => {
      setStat(exchange, await files.stat(exchange.param('id'), readPath(exchange), exchange));
      exchange.empty(200);
    },
  },
  {
    method: 'GET',
    path: '/containers/{id}/archive',
    handle: async (files, exchange) => {
      const { stat, body } = await files.readArchive(exchange.param('id'), readPath(exchange), exchange);
      setStat(exchange, stat);
      await exchange.send(body, 'application/x-tar');
    },
  },
  {
    method: 'PUT',
    path: '/containers/{id}/archive',
    handle: async (files, exchange) => {
      const { query, signal } = exchange;
      await files.writeArchive(exchange.param('id'), {
        path: readPath(exchange),
        body: exchange.body(),
        noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
        copyOwner: query.flag('copyUIDGID'),
        signal,
      });
      exchange.empty(200);
    },
  },
];

async function logs(backend: LogBackend, exchange: Exchange): Promise<void> {
  const { query, signal, version } = exchange;
  const stdout = query.flag('stdout');
  const stderr = query.flag('stderr');
  if (!stdout && !stderr)
    throw new Failure('invalid', 'STREAMS_MISSING', 'Bad parameters: you must choose at least one stream');
  const now = Date.now();
  const { tty, output } = await backend.logs(exchange.param('id'), {
    stdout,
    stderr,
    follow: query.flag('follow'),
    timestamps: query.flag('timestamps'),
    since: parseTime(query.text('since'), now),
    until: parseTime(query.text('until'), now),
    tail: readTail(exchange),
    details: query.flag('details'),
    signal,
  });
  if (version >= 42) exchange.response.setHeader('Content-Type', outputType(version, tty));
  exchange.response.flushHeaders(); // the first line may be long in coming
  await exchange.send(output, undefined);
}

function readTail({ query }: Exchange): number | undefined {
  const text = query.text('tail'); // what is no number means all, to Docker
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function stats(monitor: MonitorBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const stream = query.flag('stream', true);
  const oneShot = query.flag('one-shot');
  if (stream && oneShot) throw new Failure('invalid', 'STATS_INVALID', 'cannot have stream=true and one-shot=true');
  const samples = await monitor.stats(exchange.param('id'), { stream, oneShot, signal });
  const lines = exchange.lines('\n');
  if (stream) lines.open();
  for await (const sample of samples) await lines.write(sample);
  lines.end();
}

function readPath({ query }: Exchange): string {
  const path = query.text('path');
  if (path === '') throw new Failure('invalid', 'PATH_MISSING', 'bad parameter: path cannot be empty');
  return path;
}

function setStat(exchange: Exchange, stat: PathStat): void {
  exchange.response.setHeader('X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify(stat)).toString('base64'));
}
