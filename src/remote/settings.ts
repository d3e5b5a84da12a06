import { BlockList, isIP } from 'node:net';
import { Failure } from '../lib/error.ts';

/** How this host talks to registries. */
export interface RegistrySettings {
  /** Base URLs of mirrors of docker.io, tried first and without credentials. */
  readonly mirrors: readonly string[];
  /** Registries (`host`, `host:port` or CIDR) whose certificate is not checked and that may speak plain HTTP. */
  readonly insecure: readonly string[];
  /** Folder with one folder per registry host that holds its certificates, as Docker keeps them. */
  readonly certificates: string;
}

/** Settings from what a person wrote; throws `invalid` for a mirror that is no URL and a network that is none. */
export function registrySettings(mirrors: readonly string[], insecure: readonly string[]): RegistrySettings {
  for (const mirror of mirrors)
    if (!/^https?:\/\//.test(mirror) || !URL.canParse(mirror))
      throw new Failure('invalid', 'MIRROR_INVALID', `invalid mirror "${mirror}": expected a URL https://host[:port]`);
  for (const entry of insecure) {
    const [network = '', bits] = entry.split('/');
    const most = isIP(network) === 6 ? 128 : 32;
    if (bits === undefined ? !HOST.test(entry) : isIP(network) === 0 || !/^\d+$/.test(bits) || Number(bits) > most)
      throw new Failure('invalid', 'INSECURE_INVALID', `invalid insecure registry "${entry}"`, {
        hint: 'write host, host:port or a network as 10.0.0.0/8',
      });
  }
  return { mirrors, insecure, certificates: '/etc/docker/certs.d' };
}

const HOST = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?$/;

/** Where a registry can be reached. */
export interface Endpoint {
  /** Ends in `/`; paths as `v2/` are relative to it. */
  readonly base: URL;
  readonly isMirror: boolean;
}

/**
 * Where a registry's content can be had, in the order in which it is tried: for docker.io the mirrors, then the registry
 * itself. Each source is a list of endpoints that mean the same: an insecure one is tried by TLS first, then in plain.
 */
export function sourcesOf(
  registry: string,
  settings: RegistrySettings,
  use: 'read' | 'write',
): readonly (readonly Endpoint[])[] {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const mirrors = registry === 'docker.io' && use === 'read' ? settings.mirrors : [];
  const schemes = isInsecure(host, settings) ? ['https', 'http'] : ['https'];
  return [
    ...mirrors.map((mirror) => [{ base: new URL(mirror.replace(/\/*$/, '/')), isMirror: true }]),
    schemes.map((scheme) => ({ base: new URL(`${scheme}://${host}/`), isMirror: false })),
  ];
}

/** Whether a host (`name`, `name:port`) may be reached without a verified certificate: loopback, or named in the settings. */
export function isInsecure(host: string, settings: RegistrySettings): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (name === 'localhost') return true;
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8);
  networks.addAddress('::1', 'ipv6');
  for (const entry of settings.insecure) {
    if (entry === host || entry === name) return true;
    const [network = '', bits] = entry.split('/');
    const family = isIP(network);
    if (bits !== undefined && family !== 0) networks.addSubnet(network, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  }
  const family = isIP(name);
  return family !== 0 && networks.check(name, family === 6 ? 'ipv6' : 'ipv4');
}
