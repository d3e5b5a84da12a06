import type { ImageNode, ImageTree } from '../../wire/insight.ts';

/**
 * Which other images stand on each of an image's layers, bottom first. The layers are those of its chain: an equal layer
 * that stands on others is stored once too, but it is no part of a common base. Nothing for an image that the tree lacks.
 */
export function sharersOf(imageId: string, { Layers, Images }: ImageTree): readonly (readonly ImageNode[])[] {
  const parents = new Map(Layers.map(({ Chain, Parent }) => [Chain, Parent]));
  const chainsOf = ({ Chain }: ImageNode): string[] => {
    const chains: string[] = [];
    for (let chain = Chain; chain !== ''; chain = parents.get(chain) ?? '') chains.unshift(chain);
    return chains;
  };
  const own = Images.find(({ Id }) => Id === imageId);
  if (!own) return [];
  const others = Images.filter((image) => image !== own).map((image) => ({ image, chains: new Set(chainsOf(image)) }));
  return chainsOf(own).map((chain) => others.filter(({ chains }) => chains.has(chain)).map(({ image }) => image));
}
