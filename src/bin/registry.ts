/** Entry of the registry's process. Its only argument is JSON of `RegistryOptions`, made by `strake registry serve`. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { authConfig, credentialKey } from '../cli/credentials/registry-auth.ts';
import { loadCredentials } from '../cli/credentials/store.ts';
import { Failure, messageOf } from '../lib/error.ts';
import { type Log, makeLog } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { siblingScript } from '../lib/sibling-script.ts';
import { WorkerPool } from '../lib/worker-pool.ts';
import { type Access, openAccess } from '../registry/access.ts';
import { openAccessLog } from '../registry/access-log.ts';
import { equalRights, parseRights } from '../registry/auth/rights.ts';
import { sharedTokenKey, tokenKey } from '../registry/auth/token-key.ts';
import { Tokens } from '../registry/auth/tokens.ts';
import { userAccess } from '../registry/auth/user-access.ts';
import { usersOf } from '../registry/auth/users.ts';
import { watchFile } from '../registry/auth/watched-file.ts';
import { startCollector } from '../registry/collect.ts';
import { openHandoff } from '../registry/handoff.ts';
import { serveMetrics } from '../registry/http/metrics-server.ts';
import type { Observer } from '../registry/http/observer.ts';
import { RegistryServer } from '../registry/http/server.ts';
import { limitsOf } from '../registry/limits.ts';
import { makeMetrics } from '../registry/metrics.ts';
import { Mirror } from '../registry/mirror.ts';
import { type OpenRegistry, openRegistry, type Places } from '../registry/open-registry.ts';
import type { Change, Registry } from '../registry/registry.ts';
import { openWebhook } from '../registry/webhooks.ts';
import { registryPages } from '../web/registry-pages.ts';
import type { RegistryOptions } from '../wire/registry-options.ts';
import { openUpstream } from './registry-upstream.ts';
import { reportFailure } from './report-failure.ts';

async function serve(options: RegistryOptions): Promise<void> {
  const log = makeLog();
  const stopped = new Promise<string>((done) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => done(name));
  });
  await using scope = new Scope();
  const { lease, grace, collectEvery } = options;
  const policy = { lease, grace, ...limitsOf(options.immutable, options.quotas) };
  const opened = scope.use(await openRegistry(placesOf(options), { policy, log }));
  const told: Registry = { ...opened, ...shared(options, opened, scope), tell: tellerOf(options, scope, log) };
  const registry = options.proxy === undefined ? told : await asMirror(told, options.proxy, scope);
  if (collectEvery > 0) scope.use(startCollector(registry, collectEvery));
  const tls = options.tls && { cert: readText(options.tls.cert), key: readText(options.tls.key) };
  const observers = await observersOf(options, scope, log);
  const pages = options.explorer ? registryPages(new URL('./explorer/', import.meta.url)) : undefined;
  const access = accessOf(options, scope, log);
  const server = scope.use(new RegistryServer({ registry, access, tls, observers, pages }));
  if (options.htpasswd === undefined && !/^(127\.|::1$|localhost$)/.test(options.host))
    log.warn('everybody who reaches this address may do everything: --htpasswd names users');
  log.info('listening', { address: await server.listen(options.host, options.port) });
  log.info('stopping', { reason: await stopped });
}

function placesOf({ data, bucket, metadata }: RegistryOptions): Places {
  return { data: resolve(data), bucket, metadata };
}

function shared({ share, data }: RegistryOptions, { files }: OpenRegistry, scope: Scope) {
  return share === undefined || !files ? {} : { handoff: scope.use(openHandoff(resolve(share), resolve(data), files)) };
}

function tellerOf(options: RegistryOptions, scope: Scope, log: Log): (change: Change) => void {
  const { webhooks, webhookSecret } = options;
  const secret = webhookSecret === undefined ? undefined : Buffer.from(readText(webhookSecret).trim());
  const opened = webhooks.map((url) => scope.use(openWebhook({ url, secret, log })));
  return (change) => {
    for (const webhook of opened) webhook.tell(change);
  };
}

async function asMirror(registry: Registry, url: string, scope: Scope): Promise<Registry> {
  const stop = new AbortController();
  const name = url.replace(/^https?:\/\//, '');
  const credentials = await loadCredentials(credentialKey(name), { env: process.env, signal: stop.signal });
  const auth = credentials && authConfig(credentialKey(name), credentials);
  const upstream = scope.use(openUpstream({ registry: name, insecure: url.startsWith('http://'), auth }));
  scope.defer(() => stop.abort(new Failure('unavailable', 'REGISTRY_CLOSING', 'the registry is closing')));
  return { ...registry, mirror: new Mirror(registry, upstream, stop.signal) };
}

async function observersOf(options: RegistryOptions, scope: Scope, log: Log): Promise<Observer[]> {
  const observers: Observer[] = [];
  if (options.accessLog !== undefined) observers.push(scope.use(openAccessLog(options.accessLog, log)).observe);
  if (options.metrics) {
    const metrics = makeMetrics();
    const { host, port } = options.metrics;
    log.info('metrics', { address: scope.use(await serveMetrics(metrics, host, port)).address });
    observers.push(metrics.observe);
  }
  return observers;
}

function accessOf(options: RegistryOptions, scope: Scope, log: Log): Access {
  const { htpasswd, rights, anonymousRead, tls, publicUrl } = options;
  if (htpasswd === undefined) return openAccess;
  const checks = scope.use(new WorkerPool(siblingScript(import.meta.url, 'registry-worker'), 1));
  const equal = equalRights(anonymousRead);
  const rules = rights === undefined ? undefined : watchFile(rights, (text) => parseRights(text, rights), log);
  const scheme = tls ? 'https' : 'http';
  return userAccess({
    users: usersOf(htpasswd, checks, log),
    rights: () => rules?.().value ?? equal,
    tokens: rules || anonymousRead ? new Tokens(keyOf(options, log)) : undefined,
    baseUrl: (host) => publicUrl ?? `${scheme}://${isHost(host) ? host : `${options.host}:${options.port}`}`,
  });
}

function keyOf({ tokenKey: path, data, metadata }: RegistryOptions, log: Log): Buffer {
  if (path !== undefined) return sharedTokenKey(path);
  if (metadata !== undefined) log.warn('tokens of this node hold at no other one: --token-key names a key for all');
  return tokenKey(join(data, 'token.key'));
}

/** What a client calls us is repeated to it in a header. */
function isHost(host: string | undefined): host is string {
  return host !== undefined && /^[\w.:[\]-]+$/.test(host);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure('invalid', 'FILE_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

// Made by our own command of the same version.
void reportFailure(() => serve(JSON.parse(process.argv[2] ?? '') as RegistryOptions));
