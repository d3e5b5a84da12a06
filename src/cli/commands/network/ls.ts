import { shortenId } from '../../../oci/short-id.ts';
import type { NetworkInspect } from '../../../wire/network.ts';
import { filtersQuery } from '../../client/engine-client.ts';
import { defineCommand } from '../../command.ts';
import { filterFlag, tableFormatFlag } from '../../flags/common.ts';
import { toggle } from '../../flags/flag.ts';
import { goTime } from '../../format/human.ts';
import { type Row, renderRows } from '../../format/rows.ts';

export const networkLs = defineCommand({
  short: 'List networks',
  usage: '',
  count: [0, 0],
  aliases: ['network ls', 'network list'],
  flags: {
    filter: filterFlag,
    format: tableFormatFlag,
    noTrunc: toggle('Show complete IDs'),
    quiet: toggle('Show only IDs', { short: 'q' }),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const networks = await client.json<NetworkInspect[]>('GET', '/networks', {
      query: { filters: filtersQuery(flags.filter) },
      signal: session.signal,
    });
    const rows = networks
      .sort((a, b) => (a.Name < b.Name ? -1 : 1))
      .map((network) => networkRow(network, { whole: flags.noTrunc }));
    const quiet = flags.quiet ? 'ID' : undefined;
    const columns = ['ID', 'Name', 'Driver', 'Scope'];
    session.stdout.write(await renderRows(rows, { titles: TITLES, columns, format: flags.format, quiet }));
    return 0;
  },
});

const TITLES = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  Label: '',
  CreatedAt: 'CREATED AT',
};

function networkRow(network: NetworkInspect, options: { whole: boolean }): Row {
  const labels = network.Labels ?? {};
  return {
    ID: options.whole ? network.Id : shortenId(network.Id),
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    Label: (name) => labels[String(name)] ?? '',
    CreatedAt: () => goTime(Date.parse(network.Created) / 1000),
  };
}
