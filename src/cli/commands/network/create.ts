import { Failure } from '../../../lib/error.ts';
import type { IpamPool, NetworkCreateBody } from '../../../wire/network.ts';
import { defineCommand } from '../../command.ts';
import { list, text, toggle } from '../../flags/flag.ts';
import { toMap } from '../../run/key-values.ts';

export const networkCreate = defineCommand({
  short: 'Create a network',
  usage: 'NETWORK',
  count: [1, 1],
  flags: {
    attachable: toggle('Let containers be attached by hand'),
    auxAddress: list('Addresses that other machines of the subnet have', { type: 'map' }),
    driver: text('Driver of the network', { short: 'd', initial: 'bridge', shown: '"bridge"' }),
    gateway: list('Gateway of the subnet', { type: 'strings' }),
    internal: toggle('Keep the network from reaching the outside'),
    ipRange: list('Give containers addresses of this part of the subnet', { type: 'strings' }),
    ipamDriver: text('Driver of the addresses', { initial: 'default', shown: '"default"' }),
    ipamOpt: list('Options of that driver', { type: 'map' }),
    ipv6: toggle('Use IPv6 addresses too'),
    label: list('Set labels'),
    opt: list('Options of the network driver', { short: 'o', type: 'map' }),
    scope: text("Scope of the network: 'local'", { hidden: true }),
    subnet: list('Subnet as a CIDR block', { type: 'strings' }),
  },
  async run(session, { flags, given, args: [name = ''] }) {
    const body: NetworkCreateBody = {
      Name: name,
      CheckDuplicate: true, // hosts before API 1.44 else make another one of the same name
      Driver: flags.driver,
      Internal: flags.internal,
      Attachable: flags.attachable,
      ...(given.has('ipv6') && { EnableIPv6: flags.ipv6 }),
      IPAM: {
        Driver: flags.ipamDriver,
        ...(flags.ipamOpt.length > 0 && { Options: toMap(flags.ipamOpt) }),
        Config: pools(flags),
      },
      Options: toMap(flags.opt),
      Labels: toMap(flags.label),
    };
    const client = await session.client();
    const answer = await client.json<{ Id: string; Warning: string }>('POST', '/networks/create', {
      json: body,
      signal: session.signal,
    });
    if (answer.Warning) session.stderr.write(`WARNING: ${answer.Warning}\n`);
    session.stdout.write(`${answer.Id}\n`);
    return 0;
  },
});

/** One pool for each subnet; the other flags go with the subnets in their order. */
function pools(flags: {
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  readonly auxAddress: readonly string[];
}): IpamPool[] {
  const { subnet, gateway, ipRange, auxAddress } = flags;
  if (ipRange.length > subnet.length || gateway.length > subnet.length)
    throw new Failure('invalid', 'SUBNET', 'every ip-range or gateway must have a corresponding subnet');
  if (auxAddress.length > 0 && subnet.length === 0)
    throw new Failure('invalid', 'SUBNET', 'every aux-address must have a corresponding subnet');
  return subnet.map((Subnet, index) => {
    const range = ipRange[index];
    const router = gateway[index];
    return {
      Subnet,
      ...(range !== undefined && { IPRange: range }),
      ...(router !== undefined && { Gateway: router }),
      ...(index === 0 && auxAddress.length > 0 && { AuxiliaryAddresses: toMap(auxAddress) }),
    };
  });
}
