import type { DiffId } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';

/** The instruction that made a layer. */
export interface LayerStep {
  /** Place in the image's history, from 1 for the oldest entry. */
  readonly number: number;
  /** As the history has it; empty when it does not say. */
  readonly createdBy: string;
  readonly comment: string;
  readonly diffId: DiffId;
}

/** The steps of an image's layers, bottom first. Layers that the history does not tell of are counted behind it. */
export function layerSteps(config: ImageConfig): LayerStep[] {
  const history = config.history ?? [];
  const told = history.flatMap((entry, index) => (entry.empty_layer === true ? [] : [{ entry, number: index + 1 }]));
  return config.rootfs.diff_ids.map((diffId, index) => {
    const { entry, number } = told[index] ?? { entry: {}, number: history.length + index + 1 - told.length };
    return { number, createdBy: entry.created_by ?? '', comment: entry.comment ?? '', diffId };
  });
}
