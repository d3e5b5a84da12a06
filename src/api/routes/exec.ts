import { Failure } from '../../lib/error.ts';
import type { ExecBackend } from '../backend/container-details.ts';
import type { TerminalSize } from '../backend/containers.ts';
import { flag, list, object, text, words } from '../check.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import type { Exchange } from '../exchange.ts';
import { joinStreams } from '../hijack.ts';
import type { Route } from '../router.ts';
import { consoleSize } from '../shape/create-body.ts';
import { readSize } from './containers.ts';

export const execRoutes: readonly Route<ExecBackend>[] = [
  { method: 'POST', path: '/containers/{id}/exec', handle: create },
  { method: 'POST', path: '/exec/{id}/start', hijack: true, handle: start },
  {
    method: 'POST',
    path: '/exec/{id}/resize',
    handle: async (execs, exchange) => {
      await execs.resize(exchange.param('id'), readSize(exchange.query), exchange);
      exchange.empty(200);
    },
  },
  {
    method: 'GET',
    path: '/exec/{id}/json',
    handle: async (execs, exchange) => exchange.answer(200, await execs.inspect(exchange.param('id'), exchange)),
  },
];

const createBody = object({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: consoleSize,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Detach: flag,
  DetachKeys: text,
  Env: list(text),
  WorkingDir: text,
  Cmd: words,
});

const startBody = object({ Detach: flag, Tty: flag, ConsoleSize: consoleSize });

async function create(execs: ExecBackend, exchange: Exchange): Promise<void> {
  const { ConsoleSize, ...body } = (await exchange.json(createBody)) ?? {};
  if (!body.Cmd || body.Cmd.length === 0) throw new Failure('invalid', 'COMMAND_MISSING', 'No exec command specified');
  parseDetachKeys(body.DetachKeys ?? '');
  const created = await execs.create(exchange.param('id'), { ...body, ...(ConsoleSize && { ConsoleSize }) }, exchange);
  exchange.answer(201, created);
}

async function start(execs: ExecBackend, exchange: Exchange): Promise<void> {
  const id = exchange.param('id');
  const body = (await exchange.json(startBody)) ?? {};
  const options = { tty: body.Tty ?? false, size: terminalSize(body.ConsoleSize), signal: exchange.signal };
  if (body.Detach) {
    await execs.start(id, options);
    exchange.empty(200);
    return;
  }
  const { DetachKeys } = await execs.inspect(id, exchange);
  await joinStreams(exchange, await execs.attach(id, options), parseDetachKeys(DetachKeys));
}

function terminalSize(size: [number, number] | undefined): TerminalSize | undefined {
  return size && { height: size[0], width: size[1] };
}
