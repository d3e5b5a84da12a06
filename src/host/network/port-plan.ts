import { isIP } from 'node:net';
import { Failure } from '../../lib/error.ts';
import type { PortBinding } from '../../wire/container.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** One container port to publish on the first free host port from `first` to `last`; 0 to 0 means any. */
export interface PortRequest {
  /** As on the wire: `80/tcp`. */
  readonly key: string;
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** Empty: every address of the host, IPv4 and IPv6. */
  readonly hostAddress: string;
  readonly first: number;
  readonly last: number;
}

export interface PortWishes {
  /** Exposed ports, `80/tcp` or `80`. */
  readonly exposed: readonly string[];
  readonly bindings: Readonly<Record<string, readonly Partial<PortBinding>[] | null>>;
  /** Publish every exposed port. */
  readonly publishAll: boolean;
}

/** What to publish, and the keys of the ports that are exposed only. Failure of kind `invalid` for a bad port. */
export function planPorts(wishes: PortWishes): { requests: PortRequest[]; unpublished: string[] } {
  const requests: PortRequest[] = [];
  const published = new Set<string>();
  for (const [port, bindings] of Object.entries(wishes.bindings)) {
    const { key, protocol, containerPort } = parsePort(port);
    for (const { HostIp = '', HostPort = '' } of bindings ?? []) {
      requests.push({ key, protocol, containerPort, hostAddress: parseAddress(HostIp), ...parseRange(HostPort) });
      published.add(key);
    }
  }
  const unpublished: string[] = [];
  for (const port of [...wishes.exposed, ...Object.keys(wishes.bindings)]) {
    const { key, protocol, containerPort } = parsePort(port);
    if (published.has(key)) continue;
    published.add(key);
    if (wishes.publishAll) requests.push({ key, protocol, containerPort, hostAddress: '', first: 0, last: 0 });
    else unpublished.push(key);
  }
  return { requests, unpublished };
}

function parsePort(text: string): { key: string; protocol: Protocol; containerPort: number } {
  const [number = '', protocol = 'tcp', rest] = text.toLowerCase().split('/');
  if ((protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') || rest !== undefined || !isPort(number))
    throw new Failure('invalid', 'PORT', `invalid port specification: "${text}"`);
  return { key: `${Number(number)}/${protocol}`, protocol, containerPort: Number(number) };
}

function parseRange(text: string): { first: number; last: number } {
  if (text === '' || text === '0') return { first: 0, last: 0 };
  const [first = '', last = first, rest] = text.split('-');
  if (rest !== undefined || !isPort(first) || !isPort(last) || Number(last) < Number(first))
    throw new Failure('invalid', 'PORT', `invalid host port "${text}": expected a number or a range up to 65535`);
  return { first: Number(first), last: Number(last) };
}

function parseAddress(text: string): string {
  if (text !== '' && isIP(text) === 0)
    throw new Failure('invalid', 'PORT', `invalid IP address "${text}" in a port binding`);
  return text;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}
