import { alignedHistory } from '../../build/step-image.ts';
import { Failure } from '../../lib/error.ts';
import { type ImageId, shortId } from '../../oci/digest.ts';
import { encodeConfig, type HistoryEntry, type ImageConfig } from '../../oci/image-config.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { RewrittenImage } from '../../wire/insight.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { checkTarget, giveName } from '../images/tag-image.ts';
import { baseHistoryLength, findBase, firstOtherLayer } from './find-base.ts';
import type { Question } from './questions.ts';
import { rebaseConfig } from './rebase-config.ts';
import type { RebaseConflicts } from './rebase-conflicts.ts';
import type { StoredImage } from './stored-image.ts';

export interface RewriteNeeds extends ImageNeeds {
  /** Answers a question about stored layers; the layers are the caller's to keep. */
  readonly ask: (question: Question, options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
  readonly storedImage: (image: ImageRecord) => StoredImage;
  /** The tar of one layer for those of an image from number `from` on; the layers are the caller's to keep. */
  readonly pack: (image: ImageRecord, from: number, options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
}

export interface RewriteRequest {
  /** Without it the new image has no name. */
  readonly target: Reference | undefined;
  readonly signal: AbortSignal;
}

/*
 * New images of old ones, made of layer indexes and trees; no container runs. The same request gives the same image ID
 * again: the new image has the creation time of the old one.
 */

/** The same files in one layer, with the same config. */
export async function flattenImage(
  needs: RewriteNeeds,
  name: string,
  request: RewriteRequest,
): Promise<RewrittenImage> {
  const image = needs.store.images.resolve(name);
  const { config } = image;
  if (request.target) checkTarget(request.target);
  using _session = needs.store.leases.begin({ diffIds: config.rootfs.diff_ids });
  const diffId = await packedLayer(needs, image, 0, request.signal);
  const entry = { ...createdOf(config), comment: `flattened from ${image.id}` };
  return finish(needs, request, {
    ...ownFields(config),
    history: [entry],
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
}

/**
 * The same files with one layer in place of those of step `from` (as the history counts, from 1) and all steps above it,
 * whose history entries stay, without a layer.
 */
export async function squashImage(
  needs: RewriteNeeds,
  name: string,
  request: RewriteRequest & { readonly from: number },
): Promise<RewrittenImage> {
  const image = needs.store.images.resolve(name);
  const { config } = image;
  if (request.target) checkTarget(request.target);
  const diffIds = config.rootfs.diff_ids;
  const history = alignedHistory(config.history ?? [], diffIds.length);
  const { from } = request;
  if (!Number.isSafeInteger(from) || from < 1 || from > history.length)
    throw new Failure('invalid', 'STEP_INVALID', `the image has no step ${from}: its steps are 1 to ${history.length}`);
  const kept = history.slice(0, from - 1);
  const below = kept.filter(hasLayer).length;
  if (diffIds.length - below < 2)
    throw new Failure(
      'invalid',
      'SQUASH_NOTHING',
      `nothing to squash: steps ${from} to ${history.length} have ${
        diffIds.length === below ? 'no layer' : 'one layer only'
      }`,
    );
  using _session = needs.store.leases.begin({ diffIds });
  const diffId = await packedLayer(needs, image, below, request.signal);
  const squashed = history.slice(from - 1).map((entry): HistoryEntry => ({ ...entry, empty_layer: true }));
  const entry = { ...createdOf(config), comment: `squashed steps ${from} to ${history.length} of ${image.id}` };
  const next: ImageConfig = {
    ...ownFields(config),
    history: [...kept, ...squashed, entry],
    rootfs: { type: 'layers', diff_ids: [...diffIds.slice(0, below), diffId] },
  };
  return finish(needs, request, next);
}

/**
 * `build --squash`: the layers that a build put on `base` (undefined for scratch) as one, as Docker's experimental daemon
 * does it. Their history entries stay, without a layer, and one more tells what became of them.
 */
export async function squashBuild(
  needs: RewriteNeeds,
  built: ImageId,
  base: ImageId | undefined,
  { signal }: { readonly signal: AbortSignal },
): Promise<ImageId> {
  const image = needs.store.images.resolve(built);
  const { config } = image;
  const below = base === undefined ? undefined : needs.store.images.resolve(base).config;
  const lower = below?.rootfs.diff_ids ?? [];
  const diffIds = config.rootfs.diff_ids;
  const told = below === undefined ? 0 : baseHistoryLength(below, config);
  using _session = needs.store.leases.begin({ diffIds });
  const isMerged = diffIds.length > lower.length;
  const own = isMerged ? [await packedLayer(needs, image, lower.length, signal)] : [];
  const history = alignedHistory(config.history ?? [], diffIds.length).map(
    (entry, index): HistoryEntry => (index < told ? entry : { ...entry, empty_layer: true }),
  );
  const comment = base === undefined ? `create new from ${image.id}` : `merge ${image.id} to ${base}`;
  const entry: HistoryEntry = { ...createdOf(config), comment, ...(isMerged ? {} : { empty_layer: true }) };
  const next: ImageConfig = {
    ...config,
    history: [...history, entry],
    rootfs: { type: 'layers', diff_ids: [...lower, ...own] },
  };
  return needs.store.images.put({ config: encodeConfig(next) }).id;
}

/**
 * The image's own layers and config on another base: what it has from the old base it has from the new one then. Refused
 * when the old base is not below the image. Warns of files of the new base that the image's own layers hide.
 */
export async function rebaseImage(
  needs: RewriteNeeds,
  name: string,
  request: RewriteRequest & { readonly onto: string; readonly base: string | undefined },
): Promise<RewrittenImage> {
  const { images } = needs.store;
  const image = images.resolve(name);
  const onto = images.resolve(request.onto);
  if (request.target) checkTarget(request.target);
  const base = request.base === undefined ? findBase(needs.store, image) : images.resolve(request.base);
  if (!base)
    throw new Failure('not-found', 'BASE_UNKNOWN', `cannot tell which image "${name}" was made from`, {
      hint: 'name the old base with --from',
    });
  checkBase(image, base);
  checkPlatform(image, onto);

  const own = image.config.rootfs.diff_ids.slice(base.config.rootfs.diff_ids.length);
  const told = baseHistoryLength(base.config, image.config);
  const ownHistory = alignedHistory((image.config.history ?? []).slice(told), own.length);
  const ontoLayers = onto.config.rootfs.diff_ids;
  using _session = needs.store.leases.begin({ diffIds: [...image.config.rootfs.diff_ids, ...ontoLayers] });
  const warnings = await conflictWarnings(needs, { image, base, onto }, request.signal);
  const next: ImageConfig = {
    ...ownFields(image.config),
    config: rebaseConfig(image.config.config ?? {}, base.config.config ?? {}, onto.config.config ?? {}),
    ...createdOf(onto.created > image.created ? onto.config : image.config),
    history: [...alignedHistory(onto.config.history ?? [], ontoLayers.length), ...ownHistory],
    rootfs: { type: 'layers', diff_ids: [...ontoLayers, ...own] },
  };
  return finish(needs, request, next, warnings);
}

/** Refuses a base whose layers the image does not have below its own. */
function checkBase(image: ImageRecord, base: ImageRecord): void {
  const other = firstOtherLayer(base.config, image.config);
  const layers = base.config.rootfs.diff_ids;
  if (other === undefined) {
    if (base.id !== image.id) return;
    throw new Failure('invalid', 'BASE_IS_IMAGE', `${shortId(image.id)} cannot be its own old base`);
  }
  const found = image.config.rootfs.diff_ids[other];
  throw new Failure(
    'conflict',
    'BASE_NOT_BELOW',
    `${shortId(base.id)} is not below ${shortId(image.id)}: its layer ${other + 1} of ${layers.length} is ${layers[other]}, ${
      found === undefined ? `the image has ${other} layers only` : `that of the image is ${found}`
    }`,
  );
}

function checkPlatform(image: ImageRecord, onto: ImageRecord): void {
  const [a, b] = [image.config, onto.config].map(({ os, architecture, variant }) =>
    formatPlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) }),
  );
  if (a !== b) throw new Failure('conflict', 'REBASE_PLATFORM', `the image is for ${a}, the new base for ${b}`);
}

async function conflictWarnings(
  needs: RewriteNeeds,
  { image, base, onto }: { readonly image: ImageRecord; readonly base: ImageRecord; readonly onto: ImageRecord },
  signal: AbortSignal,
): Promise<string[]> {
  const whole = needs.storedImage(image);
  const height = base.config.rootfs.diff_ids.length;
  const own = { folders: whole.folders.slice(height), steps: whole.steps.slice(height) };
  const question: Question = { kind: 'conflicts', base: needs.storedImage(base), onto: needs.storedImage(onto), own };
  const chunks: Buffer[] = [];
  for await (const chunk of needs.ask(question, { signal })) chunks.push(chunk);
  const { count, examples }: RebaseConflicts = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (count === 0) return [];
  const more = count > examples.length ? ` and ${count - examples.length} more` : '';
  const what = count === 1 ? '1 file that differs' : `${count} files that differ`;
  return [
    `layers of the image itself hide ${what} between the bases: ${examples.join(', ')}${more}; build it again to have them`,
  ];
}

/** Packs the layers from number `from` on into one and gives its diff ID. */
async function packedLayer(needs: RewriteNeeds, image: ImageRecord, from: number, signal: AbortSignal) {
  return (await needs.receiveLayer(needs.pack(image, from, { signal }), { signal })).diffId;
}

function finish(
  needs: RewriteNeeds,
  { target }: RewriteRequest,
  config: ImageConfig,
  warnings: string[] = [],
): RewrittenImage {
  const { id } = needs.store.images.put({ config: encodeConfig(config) });
  if (target) giveName(needs, id, target);
  return { Id: id, Warnings: warnings };
}

/** What a config says beside its layers and their history, without what only was true of the build that made it. */
function ownFields(config: ImageConfig): ImageConfig {
  const { container: _container, container_config: _config, docker_version: _version, ...own } = config;
  return own;
}

const createdOf = ({ created }: ImageConfig) => (created === undefined ? {} : { created });
const hasLayer = (entry: HistoryEntry): boolean => entry.empty_layer !== true;
