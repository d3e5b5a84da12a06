import { type DiffId, digestOf, type ImageId } from '../oci/digest.ts';
import type { HistoryEntry, ImageConfig, RunConfig } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';
import type { StepImages } from './needs.ts';

/** The image that stands after a step. `id` is undefined for the empty start of FROM scratch. */
export interface StepImage {
  readonly id: ImageId | undefined;
  readonly config: ImageConfig;
  /** The step was made before, on the same parent. */
  readonly known: boolean;
}

/** What one instruction adds to an image. */
export interface ImageStep {
  readonly config: RunConfig;
  readonly createdBy: string;
  readonly author: string | undefined;
  /** RFC 3339. */
  readonly created: string;
  /** `created` is asked for, not only when it happened to be made. */
  readonly isDated: boolean;
  /** Undefined for an instruction that changes no file. */
  readonly diffId: DiffId | undefined;
}

/** The start of FROM scratch. */
export function emptyImage(platform: Platform): StepImage {
  const { os, architecture, variant } = platform;
  const config: ImageConfig = {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  };
  return { id: undefined, config, known: false };
}

/**
 * The image after `step` on `parent`. When the same step was made on the same parent before, that image is returned with
 * its old creation time, so that a warm build gives the IDs of the first one; not so without `reuse`.
 */
export function addStep(images: StepImages, parent: StepImage, step: ImageStep, reuse: boolean): StepImage {
  const { architecture, os, variant, author: inherited, rootfs, history = [] } = parent.config;
  const osFields = Object.fromEntries(
    ['os.version', 'os.features'].filter((key) => key in parent.config).map((key) => [key, parent.config[key]]),
  );
  const author = step.author ?? inherited;
  const entry: HistoryEntry = {
    created: step.created,
    created_by: step.createdBy,
    ...(author === undefined ? {} : { author }),
    ...(step.diffId === undefined ? { empty_layer: true } : {}),
  };
  const config: ImageConfig = {
    architecture,
    ...(author === undefined ? {} : { author }),
    config: step.config,
    created: step.created,
    history: [...alignedHistory(history, rootfs.diff_ids.length), entry],
    os,
    ...osFields,
    rootfs: {
      type: 'layers',
      diff_ids: step.diffId === undefined ? rootfs.diff_ids : [...rootfs.diff_ids, step.diffId],
    },
    ...(variant === undefined ? {} : { variant }),
  };
  // What begins from nothing is told apart by its platform; all else inherits that from its parent.
  const platform = parent.id === undefined ? [os, architecture, variant ?? null] : [];
  const date = step.isDated ? [step.created] : [];
  const stepKey = digestOf(
    JSON.stringify([step.createdBy, author, step.config, step.diffId ?? null, ...date, ...platform]),
  );
  const known = reuse ? images.childByStep(parent.id, stepKey) : undefined;
  if (known) return { ...known, known: true };
  return { id: images.put({ config, parent: parent.id, stepKey }), config, known: false };
}

/** Images without a history (some tools write none) get one entry a layer, so that later entries line up. */
export function alignedHistory(history: readonly HistoryEntry[], layers: number): HistoryEntry[] {
  const present = history.filter((entry) => entry.empty_layer !== true).length;
  return [...Array.from({ length: Math.max(0, layers - present) }, () => ({})), ...history];
}
