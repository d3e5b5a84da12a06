import type { ContainerSummary } from '../../wire/container.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { type DiskUsage, detailsText } from './system-df-details.ts';

export const systemDf = defineCommand({
  short: 'Show how much disk space is in use and by what',
  usage: '',
  count: [0, 0],
  flags: {
    format: tableFormatFlag,
    verbose: toggle('Show every image, container and volume', { short: 'v' }),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const usage = await client.json<DiskUsage>('GET', '/system/df', { signal: session.signal });
    if (flags.verbose) session.stdout.write(await detailsText(usage, flags.format));
    else session.stdout.write(await renderRows(summaryRows(usage), { ...SUMMARY, format: flags.format }));
    return 0;
  },
});

const SUMMARY = {
  titles: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
  columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
};

function summaryRows(usage: DiskUsage): Row[] {
  const images = usage.Images ?? [];
  const used = images.filter(({ Containers }) => Containers > 0);
  const usedSize = used.reduce((sum, { Size, SharedSize }) => sum + Size - Math.max(0, SharedSize), 0);
  const containers = usage.Containers ?? [];
  const isActive = ({ State }: ContainerSummary) => ['running', 'paused', 'restarting'].includes(State);
  const sizeOf = (list: readonly ContainerSummary[]) => list.reduce((sum, { SizeRw }) => sum + (SizeRw ?? 0), 0);
  const volumes = (usage.Volumes ?? []).map(({ UsageData }) => UsageData ?? { Size: 0, RefCount: 0 });
  const volumeSize = volumes.reduce((sum, { Size }) => sum + Math.max(0, Size), 0);
  const unusedVolumes = volumes.filter(({ RefCount }) => RefCount <= 0);
  const cache = usage.BuildCache ?? [];
  const cacheSize = cache.reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0);
  const cacheInUse = cache.reduce((sum, { Size, Shared, InUse }) => sum + (InUse && !Shared ? Size : 0), 0);
  return [
    summaryRow('Images', images.length, used.length, usage.LayersSize, usage.LayersSize - usedSize),
    summaryRow(
      'Containers',
      containers.length,
      containers.filter(isActive).length,
      sizeOf(containers),
      sizeOf(containers.filter((container) => !isActive(container))),
    ),
    summaryRow(
      'Local Volumes',
      volumes.length,
      volumes.length - unusedVolumes.length,
      volumeSize,
      unusedVolumes.reduce((sum, { Size }) => sum + Math.max(0, Size), 0),
    ),
    {
      ...summaryRow('Build Cache', cache.length, cache.filter(({ InUse }) => InUse).length, cacheSize, 0),
      Reclaimable: humanSize(cacheSize - cacheInUse),
    },
  ];
}

function summaryRow(type: string, total: number, active: number, size: number, reclaimable: number): Row {
  const percent = size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : '';
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable: `${humanSize(reclaimable)}${percent}`,
  };
}
