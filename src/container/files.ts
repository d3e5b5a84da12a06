import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpecMount } from '../host/spec.ts';

/** The files that the host writes for a container and binds into it. */
export interface ContainerFiles {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
}

/** The host's own /etc/hosts serves containers on the host's network. */
export function hostsFile(options: {
  /** Addresses of the container itself. */
  readonly addresses: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  /** `name:address`; `host-gateway` as address is the bridge's. */
  readonly extraHosts: readonly string[];
  readonly gateway: string;
}): string {
  const names = options.domainname ? `${options.hostname}.${options.domainname} ${options.hostname}` : options.hostname;
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...options.extraHosts.map((entry) => {
      const end = entry.indexOf(':');
      const address = entry.slice(end + 1);
      return `${address === 'host-gateway' ? options.gateway : address}\t${entry.slice(0, end)}`;
    }),
    ...options.addresses.map((address) => `${address}\t${names}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Writes the files into the container's folder. */
export function writeContainerFiles(folder: string, files: ContainerFiles): void {
  for (const { name, content } of placesOf(files)) writeFileSync(join(folder, name), content);
}

/** The mounts that bring them in, except where `taken` says that the user mounts something there. */
export function fileMounts(folder: string, taken: ReadonlySet<string>): SpecMount[] {
  return PLACES.filter(({ destination }) => !taken.has(destination)).map(({ name, destination }) => ({
    destination,
    type: 'bind',
    source: join(folder, name),
    options: ['rbind', 'rprivate'],
  }));
}

const PLACES = [
  { field: 'resolvConf', name: 'resolv.conf', destination: '/etc/resolv.conf' },
  { field: 'hostname', name: 'hostname', destination: '/etc/hostname' },
  { field: 'hosts', name: 'hosts', destination: '/etc/hosts' },
] as const;

function placesOf(files: ContainerFiles) {
  return PLACES.map(({ field, name }) => ({ name, content: files[field] }));
}
