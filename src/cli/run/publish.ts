import { isIP } from 'node:net';
import { Failure } from '../../lib/error.ts';
import type { PortBinding } from '../../wire/container.ts';

/** A port of the container and where on the host it appears; an empty HostPort is any free one. */
export interface PublishedPort {
  /** `80/tcp` */
  readonly port: string;
  readonly binding: PortBinding;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Parses a value of `-p`: `[[ip:][host]:]container[/protocol]`, where host and container may be ranges of the same
 * length, or the host a range from which one port is chosen; or a list like `published=8080,target=80,protocol=udp`.
 */
export function parsePublish(text: string): PublishedPort[] {
  if (text.includes('=')) return parsePublish(fromLongForm(text));
  const slash = text.lastIndexOf('/');
  const protocol = parseProtocol(slash < 0 ? 'tcp' : text.slice(slash + 1));
  const { ip, host, container } = splitPlaces(slash < 0 ? text : text.slice(0, slash));
  if (container === '') throw invalid(`no port specified: ${text}<empty>`);
  if (ip !== '' && isIP(ip) === 0) throw invalid(`invalid IP address: ${ip}`);
  const inside = parseRange(container, `invalid containerPort: ${container}`);
  const outside = host === '' ? undefined : parseRange(host, `invalid hostPort: ${host}`);
  const spread = inside.last > inside.first;
  if (outside && spread && outside.last - outside.first !== inside.last - inside.first)
    throw invalid(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  return numbers(inside).map((number, index) => ({
    port: `${number}/${protocol}`,
    binding: { HostIp: ip, HostPort: outside === undefined ? '' : spread ? String(outside.first + index) : host },
  }));
}

/** Parses a value of `--expose`: `80`, `80-90/udp`. */
export function parseExpose(text: string): string[] {
  if (text.includes(':')) throw invalid(`invalid port format for --expose: ${text}`);
  const [ports = '', protocol = 'tcp'] = text.split('/');
  const range = parseRange(ports, `invalid range format for --expose: ${text}`);
  return numbers(range).map((number) => `${number}/${parseProtocol(protocol)}`);
}

function splitPlaces(text: string): { ip: string; host: string; container: string } {
  const six = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const parts = (six ? six[2] : text)?.split(':') ?? [];
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  return { ip: six?.[1] ?? parts.join(':'), host, container };
}

function fromLongForm(text: string): string {
  const fields = new Map(
    text.split(',').map((field) => {
      const [key = '', value = ''] = field.split('=');
      return [key.toLowerCase(), value] as const;
    }),
  );
  const known = ['published', 'target', 'protocol', 'mode'];
  const unknown = [...fields.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`invalid field key ${unknown}`);
  const target = fields.get('target');
  if (!target) throw invalid(`missing mandatory field "target"`);
  return `${fields.get('published') ?? ''}:${target}/${fields.get('protocol') ?? 'tcp'}`;
}

function parseProtocol(text: string): string {
  const protocol = text.toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalid(`invalid proto: ${text}`);
  return protocol;
}

function parseRange(text: string, complaint: string): Range {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || last > 65535 || first > last) throw invalid(complaint);
  return { first, last };
}

function numbers({ first, last }: Range): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'PORT_INVALID', message);
}
