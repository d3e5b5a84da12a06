import { shortenId } from '../../oci/short-id.ts';
import type { HistoryRow, ImageInspect } from '../../wire/image.ts';
import type { ImageNode, LayerRow } from '../../wire/insight.ts';
import type { HostAbout } from '../explorer-page.ts';
import { linkTo } from './address.ts';
import { type Content, facts, make } from './element.ts';
import { host } from './host.ts';
import { configFacts, lines, rawDocument } from './image-facts.ts';
import { sharersOf } from './layer-sharing.ts';
import { type Step, stepsTable } from './steps-table.ts';
import { moment, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

/** The heading of everything about one image of a host, and the ways between its parts. */
export function imageHeading(image: string, part: string, isStrake: boolean): Element {
  const parts: [name: string, title: string][] = [
    ['', 'Overview'],
    ['files', 'Files'],
    ['waste', 'Waste'],
    ['compare', 'Compare'],
  ];
  const links = parts
    .filter(([name]) => name === '' || isStrake)
    .map(([name, title]) => {
      const href = linkTo(['image', image, ...(name === '' ? [] : [name])]);
      return make('li', {}, make('a', { href, 'aria-current': name === part ? 'page' : undefined }, title));
    });
  return make(
    'div',
    {},
    make('h1', {}, make('bdi', {}, visible(image))),
    make('nav', { 'aria-label': 'Parts of the image' }, make('ul', {}, links)),
  );
}

/** One image: what it is, how it is run, what made it. */
export async function imageView(image: string, { isStrake }: HostAbout, { signal }: ViewCall): Promise<View> {
  const [inspect, history, layers = [], tree] = await Promise.all([
    host.inspect(image, signal),
    host.history(image, signal),
    isStrake ? host.layers(image, signal) : undefined,
    isStrake ? host.tree(signal) : undefined,
  ]);
  const content = make(
    'div',
    {},
    imageHeading(image, '', isStrake),
    isStrake ? undefined : make('p', { class: 'quiet' }, NEEDS_STRAKE),
    facts(imageFacts(inspect)),
    make('h2', {}, 'How it is run'),
    configFacts(inspect.Config ?? {}),
    make('h2', {}, 'What made it'),
    stepsTable(stepsOf(image, history, layers, tree ? sharersOf(inspect.Id, tree) : [])),
    make('h2', {}, 'As the host tells it'),
    rawDocument('Document of inspect', inspect),
  );
  return { title: image, content };
}

const NEEDS_STRAKE =
  'This is a Docker host: it knows no files of images. Their files, waste, comparison and the tree of layers need a host of Strake.';

function imageFacts(inspect: ImageInspect): [string, Content][] {
  return [
    ['ID', make('code', {}, inspect.Id)],
    ['Names', lines(inspect.RepoTags)],
    ['Digests', lines(inspect.RepoDigests)],
    ['Created', moment(Date.parse(inspect.Created) / 1000)],
    ['Platform', visible([inspect.Os, inspect.Architecture, inspect.Variant].filter(Boolean).join('/'))],
    ['Size', `${size(inspect.Size)} in ${inspect.RootFS.Layers?.length ?? 0} layers`],
    ['Author', inspect.Author && visible(inspect.Author)],
    ['Comment', inspect.Comment && visible(inspect.Comment)],
    ['Parent', inspect.Parent && make('a', { href: linkTo(['image', inspect.Parent]), class: 'mono' }, inspect.Parent)],
  ];
}

/** History rows come newest first. Layers that it does not tell of are behind it. */
function stepsOf(
  image: string,
  history: readonly HistoryRow[],
  layers: readonly LayerRow[],
  sharers: readonly (readonly ImageNode[])[],
): Step[] {
  const ofLayers = layers.map(
    ({ Number: number, CreatedBy, Size, Layer }, index): Step => ({
      number,
      createdBy: CreatedBy,
      comment: '',
      created: 0,
      size: Size,
      layer: Layer,
      link: linkTo(['image', image, 'files'], { step: number }),
      sharers: (sharers[index] ?? []).map(({ Id, Names }) => Names[0] ?? shortenId(Id)),
    }),
  );
  const byNumber = new Map(ofLayers.map((step) => [step.number, step]));
  const told = history.toReversed().map((row, index): Step => {
    const own = { createdBy: row.CreatedBy, comment: row.Comment, created: row.Created, size: row.Size };
    const bare = { number: index + 1, layer: undefined, link: undefined, sharers: [] };
    return { ...bare, ...byNumber.get(index + 1), ...own };
  });
  return [...told, ...ofLayers.filter(({ number }) => number > history.length)];
}
