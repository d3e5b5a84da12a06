import type { LayerStep } from './layer-steps.ts';

/** The layers of an image on disk: folders that have `diff` and `index`, bottom first. */
export interface StoredImage {
  readonly folders: readonly string[];
  readonly steps: readonly LayerStep[];
}

export interface NamedImage extends StoredImage {
  readonly id: string;
  readonly names: readonly string[];
}
