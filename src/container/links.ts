import type { Attachment } from '../host/network/attachment.ts';
import type { ContainerLink } from '../host/network/endpoint-names.ts';
import { isFailure } from '../lib/error.ts';
import type { ContainerConfig } from '../wire/container.ts';
import type { Container } from './container.ts';

/** Finds a container by name or ID. */
export type FindContainer = (ref: string) => Container;

/** A `--link` as it is kept: `ID:alias`, so that it follows a container that is renamed. */
export function keptLink(link: string, idOf: (ref: string) => string): string {
  const { target, alias } = parseLink(link);
  return `${idOf(target)}:${alias}`;
}

/** What links mean now. One whose container is gone has what is left of it. */
export function meantLinks(links: readonly string[], find: FindContainer): ContainerLink[] {
  return links.map((link) => {
    const { target, alias } = parseLink(link);
    const container = found(target, find);
    return { container: container?.id ?? target, alias, name: container?.name ?? target.slice(0, 12) };
  });
}

/** Links as `inspect` shows them. */
export function shownLinks({ name, record }: Container, find: FindContainer): string[] | null {
  const links = meantLinks(record.hostConfig.Links ?? [], find);
  return links.length === 0 ? null : links.map((link) => `/${link.name}:/${name}/${link.alias}`);
}

/** The variables that tell a container on the default bridge about those that it links to, in Docker's order. */
export function linkEnvironment(name: string, { linked }: Attachment, find: FindContainer): string[] {
  return linked.flatMap(({ container, alias, address }) => {
    const config = found(container, find)?.record.config;
    return config ? variablesOf(config, { alias, address, path: `/${name}/${alias}` }) : [];
  });
}

interface Port {
  readonly number: number;
  readonly protocol: string;
}

function variablesOf(
  config: ContainerConfig,
  { alias, address, path }: { readonly alias: string; readonly address: string; readonly path: string },
): string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const ports = Object.keys(config.ExposedPorts ?? {})
    .map(parsePort)
    .sort((a, b) => a.number - b.number || Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp'));
  const urlOf = ({ number, protocol }: Port) => `${protocol}://${address}:${number}`;
  const keyOf = ({ number, protocol }: Port) => `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const [first] = ports;
  return [
    ...(first ? [`${prefix}_PORT=${urlOf(first)}`] : []),
    ...runsOf(ports).flatMap(([start, end]) => [
      `${keyOf(start)}_START=${urlOf(start)}`,
      `${keyOf(start)}_ADDR=${address}`,
      `${keyOf(start)}_PROTO=${start.protocol}`,
      `${keyOf(start)}_PORT_START=${start.number}`,
      `${keyOf(start)}_END=${urlOf(end)}`,
      `${keyOf(start)}_PORT_END=${end.number}`,
    ]),
    ...ports.flatMap((port) => [
      `${keyOf(port)}=${urlOf(port)}`,
      `${keyOf(port)}_ADDR=${address}`,
      `${keyOf(port)}_PORT=${port.number}`,
      `${keyOf(port)}_PROTO=${port.protocol}`,
    ]),
    `${prefix}_NAME=${path}`,
    ...(config.Env ?? [])
      .filter((entry) => entry.includes('=') && !/^(?:HOME|PATH)=/.test(entry))
      .map((entry) => `${prefix}_ENV_${entry}`),
  ];
}

/** First and last of three ports or more whose numbers follow each other. */
function runsOf(ports: readonly Port[]): [Port, Port][] {
  const runs: [Port, Port][] = [];
  let from = 0;
  for (const [at, port] of ports.entries()) {
    const next = ports[at + 1];
    if (next && next.number === port.number + 1) continue;
    const start = ports[from];
    if (start && at - from >= 2) runs.push([start, port]);
    from = at + 1;
  }
  return runs;
}

function parsePort(text: string): Port {
  const [number = '', protocol = 'tcp'] = text.split('/');
  return { number: Number(number), protocol };
}

/** `container[:alias]`, or `/container:/other/alias` as `inspect` shows it. */
function parseLink(link: string): { readonly target: string; readonly alias: string } {
  const [target = '', alias = target] = link.split(':');
  return { target: target.replace(/^\//, ''), alias: alias.slice(alias.lastIndexOf('/') + 1) };
}

function found(ref: string, find: FindContainer): Container | undefined {
  try {
    return find(ref);
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    throw error;
  }
}
