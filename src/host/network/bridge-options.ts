import { isIPv4 } from 'node:net';
import { Failure } from '../../lib/error.ts';

/** What users say about a bridge in Docker's words. */
export interface BridgeOptions {
  readonly name: string | undefined;
  readonly mtu: number | undefined;
  /** Whether containers reach each other (enable_icc). */
  readonly talk: boolean;
  readonly masquerade: boolean;
  /** The host's address for ports that are published without one. */
  readonly hostAddress: string | undefined;
}

/** Reads the options of a bridge network. Unknown ones are left to those who know them, as Docker does. */
export function bridgeOptions({ options }: { readonly options: Readonly<Record<string, string>> }): BridgeOptions {
  const name = options['com.docker.network.bridge.name'] || undefined;
  if (name !== undefined && !/^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,14}$/.test(name))
    throw invalid('BRIDGE_NAME', `invalid name of a bridge: "${name}"`);
  for (const [option, only] of Object.entries(FIXED))
    if ((options[option] ?? only) !== only)
      throw new Failure('unsupported', 'BRIDGE_OPTION', `network option ${option}=${options[option]} is not supported`);
  return {
    name,
    mtu: mtuIn(options),
    talk: flagIn(options, 'com.docker.network.bridge.enable_icc'),
    masquerade: flagIn(options, 'com.docker.network.bridge.enable_ip_masquerade'),
    hostAddress: hostAddressIn(options),
  };
}

/** Options that keep containers apart or let others in: to pass over them would be worse than to refuse them. */
const FIXED: Readonly<Record<string, string>> = {
  'com.docker.network.bridge.gateway_mode_ipv4': 'nat',
  'com.docker.network.bridge.gateway_mode_ipv6': 'nat',
  'com.docker.network.bridge.inhibit_ipv4': 'false',
};

function mtuIn(options: Readonly<Record<string, string>>): number | undefined {
  const option = 'com.docker.network.driver.mtu';
  const text = options[option] || undefined;
  if (text === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw unreadable(option, text, `strconv.Atoi: parsing "${text}": invalid syntax`);
  if (Number(text) === 0) return undefined;
  if (Number(text) < 68 || Number(text) > 65535) throw invalid('BRIDGE_MTU', `invalid MTU: "${text}"`);
  return Number(text);
}

function flagIn(options: Readonly<Record<string, string>>, option: string): boolean {
  const text = options[option];
  if (text === undefined || /^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw unreadable(option, text, `strconv.ParseBool: parsing "${text}": invalid syntax`);
}

function hostAddressIn(options: Readonly<Record<string, string>>): string | undefined {
  const option = 'com.docker.network.bridge.host_binding_ipv4';
  const text = options[option] || undefined;
  if (text !== undefined && !isIPv4(text)) throw unreadable(option, text, 'nil ip');
  return text === '0.0.0.0' ? undefined : text;
}

function unreadable(option: string, text: string, why: string): Failure {
  return invalid('BRIDGE_OPTION', `failed to parse ${option} value: ${text} (${why})`);
}

function invalid(code: string, message: string): Failure {
  return new Failure('invalid', code, message);
}
