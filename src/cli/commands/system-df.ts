import type { ContainerSummary } from '../../wire/container.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { humanSize, timeAgo } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { imageRows } from './images.ts';
import { containerRow } from './ps.ts';

interface DiskUsage {
  readonly LayersSize: number;
  readonly Images: ImageSummary[] | null;
  readonly Containers: ContainerSummary[] | null;
  readonly Volumes: { Name: string; UsageData?: { Size: number; RefCount: number } }[] | null;
  readonly BuildCache: CacheRecord[] | null;
}

interface CacheRecord {
  readonly ID: string;
  readonly Type: string;
  readonly Size: number;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

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
    if (flags.verbose && flags.format === '') session.stdout.write(await verboseText(usage));
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

async function verboseText(usage: DiskUsage): Promise<string> {
  const images = (usage.Images ?? []).flatMap((image) =>
    imageRows(image, { digests: false, whole: false }).slice(0, 1),
  );
  const containers = (usage.Containers ?? []).map((container) => ({
    ...containerRow(container, { whole: false }),
    Size: humanSize(container.SizeRw ?? 0, 3),
  }));
  const volumes = (usage.Volumes ?? []).map(({ Name, UsageData }) => ({
    Name,
    Links: String(UsageData?.RefCount ?? 0),
    Size: humanSize(Math.max(0, UsageData?.Size ?? 0)),
  }));
  const cache = usage.BuildCache ?? [];
  const cacheSize = cache.reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0);
  return [
    `Images space usage:\n\n${await table(images, IMAGE_TITLES)}`,
    `Containers space usage:\n\n${await table(containers, CONTAINER_TITLES)}`,
    `Local Volumes space usage:\n\n${await table(volumes, { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' })}`,
    `Build cache usage: ${humanSize(cacheSize)}\n\n${await table(cache.map(cacheRow), CACHE_TITLES)}`,
  ].join('\n');
}

function cacheRow(record: CacheRecord): Row {
  const ago = (time: string | null) => (time === null ? '' : timeAgo(Date.parse(time) / 1000));
  return {
    ID: record.ID.slice(0, 12),
    CacheType: record.Type,
    Size: humanSize(record.Size, 3),
    CreatedSince: ago(record.CreatedAt),
    LastUsedSince: ago(record.LastUsedAt),
    UsageCount: String(record.UsageCount),
    Shared: String(record.Shared),
  };
}

function table(rows: readonly Row[], titles: Readonly<Record<string, string>>): Promise<string> {
  return renderRows(rows, { titles, columns: Object.keys(titles), format: 'table' });
}

const IMAGE_TITLES = {
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  Size: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
  Containers: 'CONTAINERS',
};

const CONTAINER_TITLES = {
  ID: 'CONTAINER ID',
  Image: 'IMAGE',
  Command: 'COMMAND',
  LocalVolumes: 'LOCAL VOLUMES',
  Size: 'SIZE',
  RunningFor: 'CREATED',
  Status: 'STATUS',
  Names: 'NAMES',
};

const CACHE_TITLES = {
  ID: 'CACHE ID',
  CacheType: 'CACHE TYPE',
  Size: 'SIZE',
  CreatedSince: 'CREATED',
  LastUsedSince: 'LAST USED',
  UsageCount: 'USAGE',
  Shared: 'SHARED',
};
