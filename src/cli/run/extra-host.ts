import { isIP } from 'node:net';
import { Failure } from '../../lib/error.ts';
import { custom } from '../flags/flag.ts';

/** `--add-host`: lines of /etc/hosts, as `host:ip`. */
export const addHostFlag = custom<readonly string[]>(
  'list',
  'Add a line to /etc/hosts (host:ip)',
  [],
  (value, before) => [...before, parseExtraHost(value)],
);

/** `host:ip` or `host=ip`, checked, in the first form. */
function parseExtraHost(text: string): string {
  const match = /^([^=:]+)[=:](.+)$/.exec(text);
  if (!match) throw invalid(`bad format for add-host: "${text}"`);
  const ip = (match[2] ?? '').replace(/^\[(.*)\]$/, '$1');
  if (ip !== 'host-gateway' && isIP(ip) === 0) throw invalid(`invalid IP address in add-host: "${ip}"`);
  return `${match[1]}:${ip}`;
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'ADD_HOST', message);
}
