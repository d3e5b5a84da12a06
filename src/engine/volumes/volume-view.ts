import type { VolumeRecord } from '../../store/volumes.ts';
import type { VolumeInspect } from '../../wire/volume.ts';

/** GET /volumes/{name} */
export function toVolume(volume: VolumeRecord): VolumeInspect {
  return {
    Name: volume.name,
    Driver: 'local',
    Mountpoint: volume.path,
    CreatedAt: new Date(volume.created).toISOString().replace(/\.\d+Z$/, 'Z'),
    Labels: orNull(volume.labels),
    Options: orNull(volume.options),
    Scope: 'local',
  };
}

function orNull(map: Readonly<Record<string, string>>): Record<string, string> | null {
  return Object.keys(map).length === 0 ? null : { ...map };
}
