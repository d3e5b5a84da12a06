import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiServer, type Listener, type ServerTls } from '../api/server.ts';
import { openEngine } from '../engine/engine.ts';
import { STRAKE_VERSION } from '../engine/system/system-info.ts';
import { inheritedSockets } from '../host/inherited-sockets.ts';
import { returnFreedMemory } from '../host/memory.ts';
import { peerUser } from '../host/peer-user.ts';
import { type ServiceState, serviceNotice } from '../host/service-notice.ts';
import { Failure, isFailure, messageOf } from '../lib/error.ts';
import { makeLog } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { siblingScript } from '../lib/sibling-script.ts';
import { WorkerPool } from '../lib/worker-pool.ts';
import { HOST_USAGE, parseHostOptions } from './host-options.ts';
import { hostTls } from './host-tls.ts';

const WORKERS = 2;
/** Layers that arrive at the same time: started when needed. */
const RECEIVERS = 3;
const IDLE_CHECK_MS = 1000;

/** Runs the host until a signal or idleness ends it. Returns the exit code. */
async function runHost(argv: readonly string[]): Promise<number> {
  const options = parseHostOptions(argv, process.env);
  if (options === 'help') {
    process.stdout.write(`${HOST_USAGE}\n`);
    return 0;
  }
  const log = makeLog();
  const notice = serviceNotice(process.env);
  const tell = (state: ServiceState) => {
    try {
      notice(state);
    } catch (error) {
      log.warn('cannot reach the service manager', { state, why: messageOf(error) });
    }
  };
  const tls = hostTls(options.tls, process.env);
  const listeners = options.listen.flatMap((address) =>
    parseListeners(address, { tls, group: options.group }).map((listener) => [address, listener] as const),
  );
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () =>
      stop.abort(new Failure('unavailable', 'HOST_CLOSING', `the host was told to stop by ${name}`)),
    );
  process.umask(0o022);
  returnFreedMemory();

  await using scope = new Scope();
  const workers = scope.use(new WorkerPool(siblingScript(import.meta.url, 'worker'), WORKERS));
  const quickWorkers = scope.use(new WorkerPool(siblingScript(import.meta.url, 'worker'), 1));
  const receivers = scope.use(new WorkerPool(siblingScript(import.meta.url, 'worker'), RECEIVERS));
  const mounters = scope.use(new WorkerPool(siblingScript(import.meta.url, 'worker'), 1));
  const runRoot =
    process.getuid?.() === 0
      ? '/run/strake'
      : join(process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.()}`, 'strake');
  const engine = scope.use(
    await openEngine({
      dataRoot: resolve(options.dataRoot),
      runRoot,
      workers,
      quickWorkers,
      receivers,
      mounters,
      registry: options.registry,
      buildCacheLimit: options.buildCacheLimit,
      keeper: options.liveRestore ? siblingScript(import.meta.url, 'keeper') : undefined,
      insecureBuilds: options.insecureBuilds,
      log,
      signal: stop.signal,
    }),
  );
  const server = scope.use(new ApiServer({ backends: engine.backends, version: STRAKE_VERSION, log, peerUser }));
  for (const [address, listener] of listeners) {
    log.info('listening', { address: await server.listen(listener) });
    if (listener.kind === 'tcp' && !tls?.clientCa)
      log.warn('whoever reaches this address has the rights of root here: use --tlsverify', { address });
  }
  tell('READY=1');

  await new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
    const { idleExit } = options;
    if (idleExit === undefined) return;
    setInterval(
      () => {
        if (!engine.isBusy() && server.idleMilliseconds() >= idleExit)
          stop.abort(new Failure('unavailable', 'HOST_IDLE', 'the host was idle'));
      },
      Math.min(IDLE_CHECK_MS, idleExit),
    ).unref();
  });
  tell('STOPPING=1');
  log.info('stopping', { reason: messageOf(stop.signal.reason) });
  return 0;
}

function parseListeners(
  address: string,
  { tls, group }: { readonly tls: ServerTls | undefined; readonly group: string | undefined },
): Listener[] {
  if (address === 'fd://')
    return inheritedSockets(process.env).map((descriptor) => ({ kind: 'inherited', descriptor }));
  if (address.startsWith('unix://')) return [{ kind: 'unix', path: address.slice('unix://'.length), group }];
  const tcp = /^tcp:\/\/([^/]+):(\d+)$/.exec(address);
  if (tcp?.[1] !== undefined) return [{ kind: 'tcp', host: tcp[1], port: Number(tcp[2]), tls }];
  throw new Failure('invalid', 'ADDRESS_INVALID', `cannot listen on "${address}"`, {
    hint: 'write unix:///path, tcp://address:port or fd://',
  });
}

const isMain =
  process.argv[1] !== undefined &&
  existsSync(process.argv[1]) &&
  realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isMain) {
  try {
    process.exitCode = await runHost(process.argv.slice(2));
  } catch (error) {
    const hint = isFailure(error) && error.hint !== undefined ? `\n${error.hint}` : '';
    process.stderr.write(
      `strake host: ${isFailure(error) ? error.message : String(error instanceof Error ? error.stack : error)}${hint}\n`,
    );
    process.exitCode = 1;
  }
}
