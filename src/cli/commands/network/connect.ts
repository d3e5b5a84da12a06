import { defineCommand } from '../../command.ts';
import { list, text, toggle } from '../../flags/flag.ts';
import { ipamConfig } from '../../run/create-body.ts';

export const networkConnect = defineCommand({
  short: 'Connect a container to a network',
  usage: 'NETWORK CONTAINER',
  count: [2, 2],
  flags: {
    alias: list('Further name of the container in the network'),
    ip: text('IPv4 address (172.30.100.104)'),
    ip6: text('IPv6 address (2001:db8::33)'),
    link: list('Another container, under a name of its own'),
  },
  async run(session, { flags, args: [network = '', container = ''] }) {
    const client = await session.client();
    const config = {
      ...(flags.alias.length > 0 && { Aliases: flags.alias }),
      ...(flags.link.length > 0 && { Links: flags.link }),
      ...ipamConfig(flags.ip, flags.ip6),
    };
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
