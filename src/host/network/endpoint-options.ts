import type { EndpointConfig } from '../../wire/container.ts';

type DriverOptions = Readonly<EndpointConfig['DriverOpts']>;

/** A setting of an interface: `net.<family>.<group>.<interface>.<name>`. */
export interface InterfaceSysctl {
  readonly family: string;
  readonly group: string;
  readonly name: string;
  readonly value: string;
}

const NAME = 'com.docker.network.endpoint.ifname';
const SYSCTLS = 'com.docker.network.endpoint.sysctls';

/** What the user calls the interface inside; undefined when he leaves that to us. */
export function interfaceName(options: DriverOptions): string | undefined {
  return options?.[NAME] || undefined;
}

/** Settings that the user wants for one interface, of which `net.ipv4.conf.IFNAME.forwarding=1,...` is what he writes. */
export function interfaceSysctls(options: DriverOptions): InterfaceSysctl[] {
  return statedSysctls(options).flatMap((text) => parseSysctl(text) ?? []);
}

/** What is wrong with the options of one endpoint, in Docker's words where it has them. */
export function endpointProblems(options: DriverOptions): string[] {
  const name = interfaceName(options);
  return [
    ...(name === undefined || isInterfaceName(name) ? [] : [`invalid interface name '${name}'`]),
    ...statedSysctls(options)
      .filter((text) => parseSysctl(text) === undefined)
      .map(
        (text) =>
          `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
      ),
  ];
}

function statedSysctls(options: DriverOptions): string[] {
  return options?.[SYSCTLS] === undefined ? [] : options[SYSCTLS].split(',');
}

/** Lower case is what the docker command makes of the placeholder. No part can lead to another folder. */
function parseSysctl(text: string): InterfaceSysctl | undefined {
  const match = /^net\.(ipv4|ipv6|mpls)\.(\w+)\.(?:IFNAME|ifname)\.(\w+)=(.*)$/s.exec(text);
  if (!match) return undefined;
  const [, family = '', group = '', name = '', value = ''] = match;
  return { family, group, name, value };
}

/** As the kernel checks names of interfaces. */
function isInterfaceName(name: string): boolean {
  return Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..' && !/[/:\s\0]/.test(name);
}
