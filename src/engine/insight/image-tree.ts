import { chainIds } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { Store } from '../../store/open-store.ts';
import type { ImageNode, ImageTree, LayerNode } from '../../wire/insight.ts';
import { unixSeconds } from '../images/times.ts';
import { layerSteps } from './layer-steps.ts';

/** How images stand on layers: images with a name or without children, less the build cache's, newest first, and every layer below them once. */
export function imageTree(store: Store): ImageTree {
  const layers = new Map<string, LayerNode>();
  const images: ImageNode[] = [];
  const cached = new Set(store.cacheSpace.stepImages(undefined));
  for (const image of store.images.list()) {
    const names = store.images.names.of(image.id).map(familiarReference);
    if (names.length === 0 && (cached.has(image.id) || store.images.isParent(image.id))) continue;
    const chain = chainIds(image.config.rootfs.diff_ids);
    for (const [index, { diffId, createdBy, comment }] of layerSteps(image.config).entries()) {
      const id = chain[index] ?? '';
      if (layers.has(id)) continue;
      const size = store.layers.byDiffId(diffId)?.size ?? 0;
      layers.set(id, {
        Chain: id,
        Parent: chain[index - 1] ?? '',
        Layer: diffId,
        Size: size,
        CreatedBy: createdBy || comment,
      });
    }
    images.push({
      Id: image.id,
      Names: names,
      Chain: chain.at(-1) ?? '',
      Size: image.size,
      Created: unixSeconds(image.config.created),
    });
  }
  return { Layers: [...layers.values()], Images: images };
}
