import { linkTo } from './address.ts';
import { type Content, facts, make, numberCell, table } from './element.ts';
import type { ImageConfig } from './image-config.ts';
import { configFacts, lines, rawDocument } from './image-facts.ts';
import { type Descriptor, type Manifest, registry } from './registry.ts';
import { type Step, stepsTable } from './steps-table.ts';
import { moment, size, visible } from './text.ts';
import { Trouble } from './trouble.ts';
import { sayTrouble } from './trouble-panel.ts';
import type { View, ViewCall } from './view.ts';

/** What a tag or a digest of a registry names: an image, an index of images for platforms, or another artifact. */
export async function manifestView(repository: string, reference: string, { signal }: ViewCall): Promise<View> {
  const { manifest, mediaType, digest } = await registry.manifest(repository, reference, signal);
  const name = `${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
  const referrers = await registry.referrers(repository, digest, signal);
  const content = make(
    'div',
    {},
    make(
      'h1',
      {},
      make('a', { href: linkTo(['repository', repository]) }, make('bdi', {}, visible(repository))),
      visible(name.slice(repository.length)),
    ),
    facts([
      ['Digest', make('code', {}, digest)],
      ['Type', visible(mediaType)],
      ['Artifact', manifest.artifactType && visible(String(manifest.artifactType))],
      ['About', manifest.subject && manifestLink(repository, manifest.subject.digest)],
      ['Annotations', annotationLines(manifest.annotations)],
    ]),
    manifest.manifests ? platformTable(repository, manifest.manifests) : await imageParts(repository, manifest, signal),
    referrers.length > 0 ? [make('h2', {}, 'What refers to it'), referrerTable(repository, referrers)] : undefined,
    make('h2', {}, 'As the registry has it'),
    rawDocument('Manifest', manifest),
  );
  return { title: name, content };
}

function manifestLink(repository: string, digest: string): Element {
  return make('a', { class: 'mono', href: linkTo(['repository', repository, digest]) }, digest);
}

function annotationLines(annotations: Manifest['annotations']): Content {
  return lines(Object.entries(annotations ?? {}).map(([name, value]) => `${name}=${value}`));
}

function platformTable(repository: string, manifests: readonly Descriptor[]): Element {
  const rows = manifests.map(({ platform, digest, annotations }) => [
    platform ? visible([platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')) : '',
    manifestLink(repository, digest),
    annotationLines(annotations),
  ]);
  return make(
    'section',
    {},
    make('h2', {}, 'Images by platform'),
    table(['Platform', 'Manifest', 'Annotations'], rows, 'Images by platform'),
  );
}

function referrerTable(repository: string, referrers: readonly Descriptor[]): Element {
  const rows = referrers.map(({ artifactType = '', digest, annotations }) => [
    visible(String(artifactType)),
    manifestLink(repository, digest),
    annotationLines(annotations),
  ]);
  return table(['Artifact', 'Manifest', 'Annotations'], rows, 'What refers to it');
}

/** An image with its config; of other artifacts the layers alone. */
async function imageParts(repository: string, manifest: Manifest, signal: AbortSignal): Promise<Content> {
  const layers = manifest.layers ?? [];
  const isImage =
    manifest.config !== undefined &&
    /\.(?:image\.config\.v1|container\.image\.v1)\+json$/.test(manifest.config.mediaType);
  if (!manifest.config || !isImage) return layerTable(repository, layers);
  let config: ImageConfig;
  try {
    config = await registry.config(repository, manifest.config, signal);
  } catch (error) {
    if (!(error instanceof Trouble) || error.passes || error.status === 401) throw error;
    return [sayTrouble(error), layerTable(repository, layers)];
  }
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  return [
    facts([
      ['Image ID', make('code', {}, manifest.config.digest)],
      ['Created', moment(Date.parse(config.created ?? '') / 1000)],
      ['Platform', visible(config.platform)],
      ['Size', `${size(total)} in ${layers.length} layers, as they are sent`],
      ['Author', config.author && visible(config.author)],
    ]),
    make('h2', {}, 'How it is run'),
    configFacts(config.settings),
    make('h2', {}, 'What made it'),
    stepsTable(stepsOf(config, layers)),
    make('h2', {}, 'Layers'),
    make('p', { class: 'quiet' }, 'What is in them shows a host that has pulled the image: strake explore.'),
    layerTable(repository, layers),
  ];
}

function layerTable(repository: string, layers: readonly Descriptor[]): Element {
  const rows = layers.map(({ digest, size: bytes, mediaType, annotations }) => [
    make('code', {}, digest),
    numberCell(size(bytes)),
    visible(mediaType),
    annotationLines(annotations),
  ]);
  return table(['Layer', 'Size', 'Type', 'Annotations'], rows, `Layers in ${repository}`);
}

/** The history, each step that has a layer with the size of its blob. */
function stepsOf({ history }: ImageConfig, layers: readonly Descriptor[]): Step[] {
  let next = 0;
  return history.map((entry, index) => {
    const layer = entry.isEmpty ? undefined : layers[next++];
    return {
      number: index + 1,
      createdBy: entry.createdBy,
      comment: entry.comment,
      created: Date.parse(entry.created ?? '') / 1000,
      size: layer?.size ?? (entry.isEmpty ? 0 : undefined),
      layer: layer?.digest,
      link: undefined,
      sharers: [],
    };
  });
}
