import { readFileSync } from 'node:fs';
import { systemCode } from '../../lib/error.ts';

/** What a container states about name resolution; an empty list means: as the host. */
export interface DnsWishes {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The resolver settings of resolv.conf(5). */
export type Resolver = DnsWishes;

/** Where containers on networks of the user ask for names, as with Docker. */
export const NAME_SERVER = '127.0.0.11';

const HOST_FILE = '/etc/resolv.conf';
/** Where systemd-resolved tells the servers that stand behind its stub on loopback. */
const RESOLVED_FILE = '/run/systemd/resolve/resolv.conf';
const RESOLVED_STUB = '127.0.0.53';
/** Used when the host itself resolves on loopback only, which a container cannot reach. Docker's choice. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4'];
const LIMIT = 1 << 16;

/** The host's resolver settings, read now; behind systemd-resolved, those of its upstream servers. */
export function hostResolver(): Resolver {
  const own = parseResolvConf(readBounded(HOST_FILE));
  if (own.servers.length !== 1 || own.servers[0] !== RESOLVED_STUB) return own;
  const upstream = readBounded(RESOLVED_FILE);
  return upstream === '' ? own : parseResolvConf(upstream);
}

/**
 * Settings for a namespace with its own loopback: what the container states, else the host's, without IPv6 servers (the
 * bridges have no IPv6) and without loopback servers unless they were asked for.
 */
export function bridgedResolver(host: Resolver, wishes: DnsWishes): Resolver {
  const merged = statedOrHost(host, wishes);
  if (wishes.servers.length > 0) return merged;
  const servers = host.servers.filter((server) => !server.startsWith('127.') && !server.includes(':'));
  return { ...merged, servers: servers.length > 0 ? servers : PUBLIC_SERVERS };
}

/** What the container states, else the host's, field by field. A single search domain `.` means none. */
export function statedOrHost(host: Resolver, wishes: DnsWishes): Resolver {
  const search = wishes.search.length > 0 ? wishes.search : host.search;
  return {
    servers: wishes.servers.length > 0 ? wishes.servers : host.servers,
    search: search.length === 1 && search[0] === '.' ? [] : search,
    options: wishes.options.length > 0 ? wishes.options : host.options,
  };
}

export function parseResolvConf(text: string): Resolver {
  const servers: string[] = [];
  let search: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) servers.push(values[0]);
    else if (keyword === 'search' || keyword === 'domain') search = values;
    else if (keyword === 'options') options = [...options, ...values];
  }
  return { servers, search, options };
}

export function renderResolvConf(resolver: Resolver): string {
  const lines = resolver.servers.map((server) => `nameserver ${server}`);
  if (resolver.search.length > 0) lines.push(`search ${resolver.search.join(' ')}`);
  if (resolver.options.length > 0) lines.push(`options ${resolver.options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

function readBounded(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    return text.length > LIMIT ? text.slice(0, text.lastIndexOf('\n', LIMIT) + 1) : text;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}
