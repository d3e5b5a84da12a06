import { volumeFileSystem } from '../../store/volume-options.ts';
import type { VolumeRecord } from '../../store/volumes.ts';
import { treeSize } from '../containers/tree-size.ts';

/** Bytes in a volume; 0 for one that is a file system of its own, which may be mounted, far away or both. */
export function volumeSize(volume: VolumeRecord): number {
  return volumeFileSystem(volume) ? 0 : treeSize(volume.path);
}
