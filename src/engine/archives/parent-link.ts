import { isDeepStrictEqual } from 'node:util';
import type { HistoryEntry, ImageConfig } from '../../oci/image-config.ts';

/** Whether `child` can be what one step made of `parent`: its history is the parent's and one entry more. */
export function isStepOf(child: ImageConfig, parent: ImageConfig): boolean {
  const own = child.history ?? [];
  const inherited = parent.history ?? [];
  if (own.length === 0 && inherited.length === 0) return true;
  return (
    own.length === inherited.length + 1 &&
    inherited.every((entry, index) => isDeepStrictEqual(comparable(entry), comparable(own[index] ?? {})))
  );
}

/** The same moment may be written in several ways. */
function comparable(entry: HistoryEntry): unknown {
  return { ...entry, created: entry.created === undefined ? undefined : Date.parse(entry.created) };
}
