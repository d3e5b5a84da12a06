import { isIP } from 'node:net';
import { Failure } from '../lib/error.ts';
import { quote } from './text.ts';

/**
 * Ports of EXPOSE as `number/protocol`, ranges spread out, in the order written. A host address or port in front is
 * accepted and dropped, as Docker does.
 */
export function parsePorts(words: readonly string[]): string[] {
  const ports: string[] = [];
  for (const word of words) {
    for (const port of parsePort(word)) ports.push(port);
    if (ports.length > PORT_LIMIT) throw invalid(`invalid port: ${quote(word)}: more than ${PORT_LIMIT} ports`);
  }
  return ports;
}

/** All ports of all protocols. Each range may be all ports, and a line holds many. */
const PORT_LIMIT = 3 << 16;

/** The parts of one EXPOSE argument `[[address:]host:]port[-port][/protocol]`; empty text when absent. */
export function splitPort(word: string): { address: string; host: string; port: string; protocol: string } {
  const parts = word.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  const slash = container.indexOf('/');
  const port = slash < 0 ? container : container.slice(0, slash);
  return { address: parts.join(':'), host, port, protocol: slash < 0 ? '' : container.slice(slash + 1) };
}

function parsePort(word: string): string[] {
  const { address, host, port, protocol } = splitPort(word);
  if (port === '') throw invalid(`invalid port: ${quote(word)}: no port specified`);
  const lower = protocol === '' ? 'tcp' : protocol.toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(lower))
    throw invalid(`invalid port: ${quote(word)}: invalid proto: ${protocol}`);
  const plain = /^\[(.*)\]$/.exec(address)?.[1] ?? address;
  if (address !== '' && isIP(plain) === 0) throw invalid(`invalid IP address: ${address}`);
  const range = parseRange(port);
  if (!range) throw invalid(`invalid containerPort: ${port}`);
  const [first, last] = range;
  if (host !== '') {
    const hostRange = parseRange(host);
    if (!hostRange) throw invalid(`invalid hostPort: ${host}`);
    if (first !== last && last - first !== hostRange[1] - hostRange[0])
      throw invalid(`invalid ranges specified for container and host Ports: ${port} and ${host}`);
  }
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${lower}`);
}

function parseRange(text: string): [number, number] | undefined {
  const match = /^\+?(\d+)(?:-\+?(\d+))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? [first, last] : undefined;
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'PORT_INVALID', message, {
    hint: 'write EXPOSE 80, EXPOSE 53/udp or EXPOSE 7000-7010',
  });
}
