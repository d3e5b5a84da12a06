import { join, resolve } from 'node:path';
import { Failure } from '../../lib/error.ts';
import { type Endpoint, NO_TLS, parseEndpoint, type TlsFlags } from './endpoint.ts';

/** Which host a command talks to, and how that host may be started. */
export interface HostChoice {
  readonly endpoint: Endpoint;
  /** Whether `--host` named it. */
  readonly chosenByFlag: boolean;
  /** Folder of the store, for a host that this command starts. */
  readonly dataRoot: string;
  /** Whether the person named the data root; a running host must then use the same. */
  readonly dataRootChosen: boolean;
  /** Whether the command may start a host when none listens: at the default socket, or when the data root was named too. */
  readonly mayStart: boolean;
}

export interface HostFlags extends TlsFlags {
  readonly host: readonly string[];
  readonly dataRoot: string;
}

/** No flag was given: the environment chooses. */
export const NO_HOST_FLAGS: HostFlags = { host: [], dataRoot: '', ...NO_TLS };

/** Host from `--host`, else STRAKE_HOST, else DOCKER_HOST, else the default; store from `--data-root`, else STRAKE_ROOT. */
export function chooseHost(flags: HostFlags, env: NodeJS.ProcessEnv, uid: number): HostChoice {
  if (flags.host.length > 1) throw new Failure('invalid', 'HOST_TWICE', 'specify only one -H');
  const named = [flags.host[0], env['STRAKE_HOST'], env['DOCKER_HOST']].find((text) => (text ?? '') !== '');
  const fallback = defaultSocket(env, uid);
  const endpoint = parseEndpoint(named ?? `unix://${fallback}`, env, flags);
  const root = [flags.dataRoot, env['STRAKE_ROOT']].find((text) => (text ?? '') !== '');
  return {
    endpoint,
    chosenByFlag: flags.host.length > 0,
    dataRoot: resolve(root ?? defaultRoot(env, uid)),
    dataRootChosen: root !== undefined,
    // Another socket with the default store would be a host that nobody asked for, and keep the usual one from its store.
    mayStart:
      endpoint.kind === 'unix' &&
      (endpoint.path === fallback || root !== undefined) &&
      !dockersOwn(flags.host[0] ?? env['STRAKE_HOST'], endpoint.path),
  };
}

/** A socket that belongs to dockerd is never taken over by a host of ours because of DOCKER_HOST alone. */
function dockersOwn(asked: string | undefined, path: string): boolean {
  return (asked ?? '') === '' && path.endsWith('/docker.sock');
}

function defaultSocket(env: NodeJS.ProcessEnv, uid: number): string {
  return uid === 0 ? '/run/strake.sock' : join(env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`, 'strake.sock');
}

function defaultRoot(env: NodeJS.ProcessEnv, uid: number): string {
  if (uid === 0) return '/var/lib/strake';
  return join(env['XDG_DATA_HOME'] ?? join(env['HOME'] ?? '/', '.local/share'), 'strake');
}
