import { shortenId } from '../../oci/short-id.ts';
import type { ContainerSummary } from '../../wire/container.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { goTime, humanSize, timeAgo } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { imageRows } from './images.ts';
import { containerRow } from './ps.ts';

/** GET /system/df as hosts of all versions answer it. */
export interface DiskUsage {
  readonly LayersSize: number;
  readonly Images: ImageSummary[] | null;
  readonly Containers: ContainerSummary[] | null;
  readonly Volumes: readonly Volume[] | null;
  readonly BuildCache: CacheRecord[] | null;
}

interface Volume {
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Mountpoint: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number };
}

interface CacheRecord {
  readonly ID: string;
  readonly Parent?: string;
  readonly Type: string;
  readonly Description: string;
  readonly Size: number;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

/** Every image, container, volume and cache record: four tables, or one object with four lists for `--format`. */
export async function detailsText(usage: DiskUsage, format: string): Promise<string> {
  const whole = format !== '';
  const images = (usage.Images ?? []).flatMap((image) => imageRows(image, { digests: false, whole }).slice(0, 1));
  const containers = (usage.Containers ?? []).map((container) => ({
    ...containerRow(container, { whole }),
    Size: humanSize(container.SizeRw ?? 0, 3),
  }));
  const volumes = (usage.Volumes ?? []).map(volumeRow);
  const cache = usage.BuildCache ?? [];
  const cacheRows = cache.toSorted(byLastUse).map((record) => cacheRow(record, whole));
  if (whole) {
    const { renderLists } = await import('../format/template-rows.ts');
    return renderLists({ Images: images, Containers: containers, Volumes: volumes, BuildCache: cacheRows }, format);
  }
  const cacheSize = cache.reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0);
  return [
    `Images space usage:\n\n${await table(images, IMAGE_TITLES)}`,
    `Containers space usage:\n\n${await table(containers, CONTAINER_TITLES)}`,
    `Local Volumes space usage:\n\n${await table(volumes, { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' })}`,
    `Build cache usage: ${humanSize(cacheSize)}\n\n${await table(cacheRows, CACHE_TITLES)}`,
  ].join('\n');
}

function volumeRow({ Name, Driver, Scope, Mountpoint, Labels, UsageData }: Volume): Row {
  return {
    Name,
    Driver,
    Scope,
    Mountpoint,
    Labels: Object.entries(Labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    Links: String(UsageData?.RefCount ?? 0),
    Size: humanSize(Math.max(0, UsageData?.Size ?? 0)),
    Availability: 'N/A',
    Group: 'N/A',
    Status: 'N/A',
  };
}

function cacheRow(record: CacheRecord, whole: boolean): Row {
  const seconds = (time: string) => Date.parse(time) / 1000;
  const ago = (time: string | null) => (time === null ? '' : timeAgo(seconds(time)));
  return {
    ID: whole ? record.ID : shortenId(record.ID),
    Parent: record.Parent ?? '',
    CacheType: record.Type,
    Description: record.Description,
    Size: humanSize(record.Size, 3),
    CreatedAt: () => goTime(Math.floor(seconds(record.CreatedAt))),
    CreatedSince: ago(record.CreatedAt),
    LastUsedAt: () => (record.LastUsedAt === null ? '' : goTime(Math.floor(seconds(record.LastUsedAt)))),
    LastUsedSince: ago(record.LastUsedAt),
    UsageCount: String(record.UsageCount),
    InUse: String(record.InUse),
    Shared: String(record.Shared),
  };
}

/** Oldest use first, those that were never used before all. */
function byLastUse(a: CacheRecord, b: CacheRecord): number {
  const time = ({ LastUsedAt }: CacheRecord) => (LastUsedAt === null ? 0 : Date.parse(LastUsedAt));
  return time(a) - time(b) || (a.ID < b.ID ? -1 : 1);
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
