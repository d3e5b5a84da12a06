import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';

/** Where a host listens. `text` is the address as people read it. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string; readonly text: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: TlsOptions | undefined;
      readonly text: string;
    }
  | SshEndpoint;

/** A host that only programs of its own machine reach. */
export interface SshEndpoint {
  readonly kind: 'ssh';
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string | undefined;
  /** Of its socket; undefined for the one that the other machine's command chooses. */
  readonly path: string | undefined;
  readonly text: string;
}

export interface TlsOptions {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  /** Whether the host must prove its name with a certificate that `ca` signed. */
  readonly verify: boolean;
}

export interface TlsFlags {
  readonly tls: boolean;
  readonly tlsverify: boolean;
  readonly tlscacert: string;
  readonly tlscert: string;
  readonly tlskey: string;
}

export const NO_TLS: TlsFlags = { tls: false, tlsverify: false, tlscacert: '', tlscert: '', tlskey: '' };

/** Parses `unix:///path`, `tcp://host[:port]`, `http://...`, `https://...`, `ssh://...`, `host:port` or an absolute path. */
export function parseEndpoint(text: string, env: NodeJS.ProcessEnv, flags: TlsFlags = NO_TLS): Endpoint {
  if (text.startsWith('unix://') || text.startsWith('/')) {
    const path = text.replace(/^unix:\/\//, '');
    if (!path.startsWith('/')) throw invalid(text, 'a unix socket needs an absolute path: unix:///run/strake.sock');
    if (Buffer.byteLength(path) > 107) throw invalid(text, 'the path of a unix socket has at most 107 bytes');
    return { kind: 'unix', path, text: `unix://${path}` };
  }
  if (text.startsWith('ssh://')) return sshEndpoint(text);
  const match = /^(?:(tcp|https?):\/\/)?(\[[0-9a-fA-F:]+\]|[^:/[\]]+)?(?::(\d+))?\/?$/.exec(text);
  if (!match || (match[2] === undefined && match[3] === undefined)) throw invalid(text);
  const tls = tlsOptions(env, flags, match[1] === 'https');
  const host = match[2] ?? '127.0.0.1';
  const port = match[3] === undefined ? (tls ? 2376 : 2375) : Number(match[3]);
  if (port < 1 || port > 65535) throw invalid(text);
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port, tls, text: `tcp://${host}:${port}` };
}

function sshEndpoint(text: string): SshEndpoint {
  const match = /^ssh:\/\/(?:([^@:/?#]+)@)?([^@:/[\]?#]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?(\/[^?#]*)?$/.exec(text);
  if (!match) throw invalid(text, 'write ssh://[user@]host[:port][/path/of/socket]; a password has no place there');
  const [, user, host = '', port, path] = match;
  if (Number(port ?? 22) < 1 || Number(port ?? 22) > 65535) throw invalid(text);
  return {
    kind: 'ssh',
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? undefined : Number(port),
    user,
    path: path === '/' ? undefined : path,
    text,
  };
}

function tlsOptions(env: NodeJS.ProcessEnv, flags: TlsFlags, implied: boolean): TlsOptions | undefined {
  const verify = flags.tlsverify || (env['DOCKER_TLS_VERIFY'] ?? '') !== '';
  if (!verify && !flags.tls && !implied) return undefined;
  const folder = env['DOCKER_CERT_PATH'] ?? join(env['HOME'] ?? '/', '.docker');
  const read = (given: string, name: string): Buffer | undefined => {
    const path = given === '' ? join(folder, name) : given;
    try {
      return readFileSync(path);
    } catch (error) {
      if (given === '' && systemCode(error) === 'ENOENT') return undefined;
      throw new Failure('invalid', 'TLS_FILE', `cannot read TLS file ${path}`, { cause: error });
    }
  };
  return {
    ca: read(flags.tlscacert, 'ca.pem'),
    cert: read(flags.tlscert, 'cert.pem'),
    key: read(flags.tlskey, 'key.pem'),
    verify: verify || implied,
  };
}

function invalid(text: string, hint = 'write unix:///path/to/socket or tcp://host:port'): Failure {
  return new Failure('invalid', 'HOST_INVALID', `unable to parse docker host "${text}"`, { hint });
}
