import { shortenId } from '../../oci/short-id.ts';
import type { ContainerSummary } from '../../wire/container.ts';
import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filterFlag, tableFormatFlag } from '../flags/common.ts';
import { integer, toggle } from '../flags/flag.ts';
import { goTime, humanSize, timeAgo } from '../format/human.ts';
import { showPorts } from '../format/ports.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { ellipsis, quoted } from '../format/words.ts';

export const ps = defineCommand({
  short: 'List containers',
  usage: '',
  count: [0, 0],
  aliases: ['container ls', 'container list', 'container ps', 'ps'],
  flags: {
    all: toggle('Show stopped containers too', { short: 'a' }),
    filter: filterFlag,
    format: tableFormatFlag,
    last: integer('Show the n newest containers, in any state', { short: 'n', initial: -1, shown: '-1' }),
    latest: toggle('Show the newest container, in any state', { short: 'l' }),
    noTrunc: toggle('Show complete IDs, images and commands'),
    quiet: toggle('Show only IDs', { short: 'q' }),
    size: toggle('Show sizes', { short: 's' }),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const limit = flags.latest ? 1 : flags.last;
    const size = flags.size || flags.format.includes('.Size');
    const summaries = await client.json<ContainerSummary[]>('GET', '/containers/json', {
      query: {
        all: flags.all || undefined,
        limit: limit > 0 ? limit : undefined,
        size: size || undefined,
        filters: filtersQuery(flags.filter),
      },
      signal: session.signal,
    });
    const rows = summaries.map((summary) => containerRow(summary, { whole: flags.noTrunc }));
    const columns = [
      'ID',
      'Image',
      'Command',
      'RunningFor',
      'Status',
      'Ports',
      'Names',
      ...(flags.size ? ['Size'] : []),
    ];
    const quiet = flags.quiet ? 'ID' : undefined;
    session.stdout.write(await renderRows(rows, { titles: TITLES, columns, format: flags.format, quiet }));
    return 0;
  },
});

const TITLES = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Label: '',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
};

/** A container as a row of `ps`. */
export function containerRow(summary: ContainerSummary, options: { whole: boolean }, now = Date.now()): Row {
  const labels = summary.Labels ?? {};
  const mounts = (summary.Mounts ?? []).map(({ Name, Source }) => (Name === undefined || Name === '' ? Source : Name));
  const names = (summary.Names ?? []).map((name) => name.replace(/^\//, ''));
  return {
    ID: options.whole ? summary.Id : shortenId(summary.Id),
    Names: (options.whole ? names : names.filter((name) => !name.includes('/'))).join(','),
    Image: imageName(summary, options.whole),
    Command: quoted(options.whole ? summary.Command : ellipsis(summary.Command, 20)),
    CreatedAt: () => goTime(summary.Created),
    RunningFor: timeAgo(summary.Created, now),
    Ports: showPorts(summary.Ports),
    State: summary.State,
    Status: summary.Status,
    Size: containerSize(summary),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    Label: (name) => labels[String(name)] ?? '',
    Mounts: mounts.map((mount) => (options.whole ? mount : ellipsis(mount, 15))).join(','),
    LocalVolumes: String((summary.Mounts ?? []).filter(({ Driver }) => Driver === 'local').length),
    Networks: Object.keys(summary.NetworkSettings?.Networks ?? {}).join(','),
  };
}

function imageName(summary: ContainerSummary, whole: boolean): string {
  if (summary.Image === '') return '<no image>';
  if (whole) return summary.Image;
  const short = shortenId(summary.ImageID);
  if (short === shortenId(summary.Image)) return short;
  return summary.Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

function containerSize(summary: ContainerSummary): string {
  const own = humanSize(summary.SizeRw ?? 0, 3);
  const root = summary.SizeRootFs ?? 0;
  return root > 0 ? `${own} (virtual ${humanSize(root, 3)})` : own;
}
