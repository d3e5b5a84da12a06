import { parseArgs } from 'node:util';
import { parseBytes } from '../cli/flags/bytes.ts';
import { Failure, messageOf } from '../lib/error.ts';
import { type RegistrySettings, registrySettings } from '../remote/settings.ts';
import { hostFileWords } from './host-file.ts';
import type { TlsFlags } from './host-tls.ts';

export interface HostOptions {
  /** `unix:///path`, `tcp://address:port`, and `fd://` for sockets of systemd. */
  readonly listen: readonly string[];
  readonly dataRoot: string;
  readonly registry: RegistrySettings;
  /** Bytes that only the build cache keeps; undefined is no limit. */
  readonly buildCacheLimit: number | undefined;
  /** Builds may run `RUN --security=insecure`: with all of root's powers over this machine. */
  readonly insecureBuilds: boolean;
  readonly tls: TlsFlags;
  /** Whose members may use the unix socket; undefined: the first of strake and docker that exists, empty: nobody. */
  readonly group: string | undefined;
  /** Containers run on when the host ends, and the next one takes them over. */
  readonly liveRestore: boolean;
  /** Milliseconds without a request and without a running container until the host leaves; undefined: never. */
  readonly idleExit: number | undefined;
}

const IDLE_SECONDS = 300;

export const HOST_USAGE = `Usage: strake host [OPTIONS]

Runs the host in the foreground.

Options:
  -H, --host list          Address to listen on: unix:///path, tcp://address:port or fd:// (systemd's)
      --data-root string   Folder of the store (default /var/lib/strake)
      --config-file string  JSON with these flags as keys, lists in the plural: {"registry-mirrors": ["https://..."]}
                           (default /etc/strake/host.json, if it is there)
      --idle-exit[=seconds]  Leave after so long with nothing to do (default 300; without the flag: never)
  -G, --group string       Group that may use the unix socket (default: the first of strake and docker that exists)
      --tls                Use TLS on TCP; implied by --tlsverify
      --tlscacert string   Let in only clients whose certificates this CA signed (default "~/.docker/ca.pem")
      --tlscert string     File of the TLS certificate (default "~/.docker/cert.pem")
      --tlskey string      File of the TLS key (default "~/.docker/key.pem")
      --tlsverify          Use TLS and let in only clients with a certificate
      --registry-mirror list    URL of a mirror of docker.io, tried first
      --insecure-registry list  Registry (host[:port] or CIDR) that may have a false certificate or plain HTTP
      --allow-insecure-entitlement list  What builds may use besides the usual: security.insecure
      --build-cache-limit size  Most that the build cache may take, as 20g (default: no limit)
      --live-restore       Let containers run on while no host is there; the next one takes them over
      --help               Print this text`;

const FILE_FLAGS = {
  host: { type: 'string', short: 'H', multiple: true },
  'data-root': { type: 'string' },
  group: { type: 'string', short: 'G' },
  tls: { type: 'boolean' },
  tlsverify: { type: 'boolean' },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlskey: { type: 'string' },
  'build-cache-limit': { type: 'string' },
  'registry-mirror': { type: 'string', multiple: true },
  'insecure-registry': { type: 'string', multiple: true },
  'allow-insecure-entitlement': { type: 'string', multiple: true },
  'live-restore': { type: 'boolean' },
} as const;

/**
 * Reads the host's flags and its configuration file: flags add to the lists of that and go before its other values.
 * STRAKE_HOST and STRAKE_ROOT fill in what is absent in both.
 */
export function parseHostOptions(argv: readonly string[], env: NodeJS.ProcessEnv): HostOptions | 'help' {
  const flags = parseFlags(argv);
  if (flags.help) return 'help';
  const values = parseFlags([...hostFileWords(flags['config-file'], FILE_FLAGS), ...argv]);
  const root = process.getuid?.() === 0;
  const runtimeDir = env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.()}`;
  const dataHome = env['XDG_DATA_HOME'] ?? `${env['HOME'] ?? '/tmp'}/.local/share`;
  const fallback = root ? 'unix:///run/strake.sock' : `unix://${runtimeDir}/strake.sock`;
  return {
    listen: values.host ?? [env['STRAKE_HOST'] ?? fallback],
    group: values.group,
    tls: {
      tls: values.tls ?? false,
      tlsverify: values.tlsverify ?? false,
      tlscacert: values.tlscacert,
      tlscert: values.tlscert,
      tlskey: values.tlskey,
    },
    dataRoot: values['data-root'] ?? env['STRAKE_ROOT'] ?? (root ? '/var/lib/strake' : `${dataHome}/strake`),
    registry: registrySettings(values['registry-mirror'] ?? [], values['insecure-registry'] ?? []),
    insecureBuilds: allowsInsecure(values['allow-insecure-entitlement'] ?? []),
    buildCacheLimit: values['build-cache-limit'] === undefined ? undefined : parseBytes(values['build-cache-limit']),
    liveRestore: values['live-restore'] ?? false,
    idleExit: values['idle-exit'] === undefined ? undefined : milliseconds(values['idle-exit']),
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: argv.map((word) => (word === '--idle-exit' ? `--idle-exit=${IDLE_SECONDS}` : word)),
      options: {
        ...FILE_FLAGS,
        'config-file': { type: 'string' },
        'idle-exit': { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new Failure('invalid', 'FLAG_INVALID', messageOf(error), { hint: "see 'strake host --help'" });
  }
}

/** As buildkitd takes it. The host's network is allowed anyway. */
function allowsInsecure(entitlements: readonly string[]): boolean {
  const unknown = entitlements.find((name) => name !== 'security.insecure' && name !== 'network.host');
  if (unknown !== undefined)
    throw new Failure('invalid', 'FLAG_INVALID', `unknown entitlement "${unknown}": expected security.insecure`);
  return entitlements.includes('security.insecure');
}

function milliseconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0)
    throw new Failure('invalid', 'FLAG_INVALID', `invalid --idle-exit "${text}": expected a number of seconds`);
  return seconds * 1000;
}
