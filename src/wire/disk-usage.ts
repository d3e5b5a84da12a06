/** GET /system/df. https://docs.docker.com/reference/api/engine/ */
import type { ContainerSummary } from './container.ts';
import type { ImageSummary } from './image.ts';
import type { VolumeInspect } from './volume.ts';

export interface CacheRecord {
  ID: string;
  Type: string;
  Description: string;
  InUse: boolean;
  Shared: boolean;
  /** Bytes. */
  Size: number;
  CreatedAt: string;
  LastUsedAt: string | null;
  UsageCount: number;
}

/** A part is absent when `type` did not ask for it. */
export interface DiskUsage {
  LayersSize?: number;
  Images?: ImageSummary[];
  Containers?: ContainerSummary[];
  Volumes?: VolumeInspect[];
  BuildCache?: CacheRecord[];
}

export type DiskUsagePart = 'image' | 'container' | 'volume' | 'build-cache';
