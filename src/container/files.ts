import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Attachment, LinkedContainer } from '../host/network/attachment.ts';
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
  /** Other containers that the user gave names to. */
  readonly linked: readonly LinkedContainer[];
}): string {
  const names = namesOf(options);
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
    ...options.linked.map(linkedLine),
    ...options.addresses.map((address) => `${address}\t${names}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The full name and the first word of it. A domain goes behind the host's name. */
function namesOf({ hostname, domainname }: { readonly hostname: string; readonly domainname: string }): string {
  if (domainname) return `${hostname}.${domainname} ${hostname}`;
  const [short = ''] = hostname.split('.', 1);
  return short === '' || short === hostname ? hostname : `${hostname} ${short}`;
}

/** Writes the files into the container's folder. */
export function writeContainerFiles(folder: string, files: ContainerFiles): void {
  for (const { name, content } of placesOf(files)) writeFileSync(join(folder, name), content);
}

/**
 * Tells a running container of a change of its networks: its addresses in /etc/hosts, and its name servers, unless it
 * changed those itself. The files keep their inodes: they are bound into the container.
 */
export function updateNetworkFiles(folder: string, before: Attachment, after: Attachment, hostname: string): void {
  const hosts = join(folder, 'hosts');
  const text = readSmall(hosts);
  if (text !== undefined) {
    const [gone, come] = [addressesOf(before), addressesOf(after)];
    const kept = text.split('\n').filter((line) => !gone.some((address) => line.startsWith(`${address}\t`)));
    while (kept.at(-1) === '') kept.pop();
    writeFileSync(hosts, [...kept, ...come.map((address) => `${address}\t${hostname}`), ''].join('\n'));
  }
  const resolv = join(folder, 'resolv.conf');
  if (after.resolvConf !== before.resolvConf && readSmall(resolv) === before.resolvConf)
    writeFileSync(resolv, after.resolvConf);
}

/** Tells a running container where those are that it links to; a line of before is found by the alias. */
export function updateLinkedHosts(folder: string, linked: readonly LinkedContainer[]): void {
  const hosts = join(folder, 'hosts');
  const text = readSmall(hosts);
  if (text === undefined) return;
  const byAlias = new Map(linked.map((other) => [other.alias, linkedLine(other)]));
  const lines = text.split('\n').map((line) => byAlias.get(line.split('\t')[1]?.split(' ')[0] ?? '') ?? line);
  writeFileSync(hosts, lines.join('\n'));
}

function linkedLine({ address, names }: LinkedContainer): string {
  return `${address}\t${names.join(' ')}`;
}

/** Addresses of the container, by the order of its interfaces. */
export function addressesOf({ settings }: Attachment): string[] {
  return Object.values(settings.Networks).flatMap(({ IPAddress, GlobalIPv6Address }) =>
    [IPAddress, GlobalIPv6Address].filter((address) => address !== ''),
  );
}

/** A file that the container may have filled; undefined when it is too large to be what it was. */
function readSmall(path: string): string | undefined {
  return statSync(path).size > SMALL ? undefined : readFileSync(path, 'utf8');
}

const SMALL = 1 << 20;

/** The mounts that bring them in, except where `taken` says that the user mounts something there. */
export function fileMounts(folder: string, taken: ReadonlySet<string>, readOnly: boolean): SpecMount[] {
  return PLACES.filter(({ destination }) => !taken.has(destination)).map(({ name, destination }) => ({
    destination,
    type: 'bind',
    source: join(folder, name),
    options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'],
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
