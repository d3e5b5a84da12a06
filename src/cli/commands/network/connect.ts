import { defineCommand } from '../../command.ts';
import { integer, list, text, toggle } from '../../flags/flag.ts';
import { endpointOf } from '../../run/networks.ts';

export const networkConnect = defineCommand({
  short: 'Connect a container to a network',
  usage: 'NETWORK CONTAINER',
  count: [2, 2],
  flags: {
    alias: list('Further name of the container in the network'),
    driverOpt: list('Option of the network driver for this container (key=value)'),
    gwPriority: integer('The default route goes through the network with the highest'),
    ip: text('IPv4 address (172.30.100.104)'),
    ip6: text('IPv6 address (2001:db8::33)'),
    link: list('Another container, under a name of its own'),
    linkLocalIp: list('Link-local address in the network'),
  },
  async run(session, { flags, args: [network = '', container = ''] }) {
    const client = await session.client();
    const config = endpointOf({
      aliases: flags.alias,
      links: flags.link,
      ip: flags.ip,
      ip6: flags.ip6,
      linkLocal: flags.linkLocalIp,
      options: flags.driverOpt,
      priority: flags.gwPriority,
    });
    await client.call('POST', `/networks/${network}/connect`, {
      json: { Container: container, EndpointConfig: config },
      signal: session.signal,
    });
    return 0;
  },
});

export const networkDisconnect = defineCommand({
  short: 'Disconnect a container from a network',
  usage: 'NETWORK CONTAINER',
  count: [2, 2],
  flags: { force: toggle('Do not mind when there is no such container', { short: 'f' }) },
  async run(session, { flags, args: [network = '', container = ''] }) {
    const client = await session.client();
    await client.call('POST', `/networks/${network}/disconnect`, {
      json: { Container: container, Force: flags.force },
      signal: session.signal,
    });
    return 0;
  },
});
