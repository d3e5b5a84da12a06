import { instructionText } from '../../oci/instruction-text.ts';
import { shortenId } from '../../oci/short-id.ts';
import type { ImageNode, ImageTree, LayerNode } from '../../wire/insight.ts';
import { linkTo } from './address.ts';
import { addPaged, make } from './element.ts';
import { host } from './host.ts';
import { cut, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

/** Branches that begin open; of more, people open those that they want to see. */
const OPEN_DEPTH = 3;

/** How images stand on layers. What a closed branch holds is made when it is opened. */
export async function treeView({ signal }: ViewCall): Promise<View> {
  const { Layers, Images } = await host.tree(signal);
  const layersOn = Map.groupBy(Layers, ({ Parent }) => Parent);
  const imagesOn = Map.groupBy(Images, ({ Chain }) => Chain);

  /** What stands on a chain of layers. A layer that is alone on another one is not indented further. */
  const branch = (chain: string, depth: number): HTMLUListElement => {
    const list = make('ul', { class: depth === 0 ? 'layers' : undefined });
    const items: (() => HTMLLIElement)[] = (imagesOn.get(chain) ?? []).map(
      (image) => () => make('li', {}, imageText(image)),
    );
    for (const layer of layersOn.get(chain) ?? []) items.push(() => straight(layer, depth));
    addPaged(
      list,
      items,
      (item) => item(),
      (more) => make('li', {}, more),
    );
    return list;
  };
  const straight = (first: LayerNode, depth: number): HTMLLIElement => {
    const run = [first];
    let top = first;
    for (;;) {
      const [next, ...others] = layersOn.get(top.Chain) ?? [];
      if (!next || others.length > 0 || imagesOn.has(top.Chain)) break;
      run.push(next);
      top = next;
    }
    const details = make(
      'details',
      { open: depth < OPEN_DEPTH },
      make(
        'summary',
        {},
        run.map((layer) => make('div', {}, layerText(layer))),
      ),
    );
    const open = () => {
      if (details.open && details.childElementCount === 1) details.append(branch(top.Chain, depth + 1));
    };
    details.addEventListener('toggle', open);
    open();
    return make('li', {}, details);
  };
  const content = make(
    'div',
    {},
    make('h1', {}, 'Layers and images'),
    make('p', { class: 'quiet' }, summary({ Layers, Images })),
    branch('', 0),
  );
  return { title: 'Layers and images', content };
}

function summary({ Layers, Images }: ImageTree): string {
  const stored = Layers.reduce((sum, { Size }) => sum + Size, 0);
  const naive = Images.reduce((sum, { Size }) => sum + Size, 0);
  return `${Images.length} images on ${Layers.length} layers: ${size(naive)} as images show it, ${size(stored)} with what they share counted once`;
}

function imageText({ Id, Names, Size }: ImageNode): Element {
  const links = (Names.length === 0 ? ['<none>'] : Names).flatMap((name, index) => [
    index === 0 ? '' : ', ',
    make('a', { class: 'image-name', href: linkTo(['image', name === '<none>' ? Id : name]) }, make('bdi', {}, name)),
  ]);
  return make('span', {}, links, make('span', { class: 'quiet' }, ` ${shortenId(Id)} ${size(Size)}`));
}

function layerText({ Layer, Size, CreatedBy }: LayerNode): Element {
  return make(
    'span',
    {},
    make('code', { class: 'quiet', title: Layer }, shortenId(Layer)),
    ` ${size(Size)} `,
    make('code', {}, cut(visible(instructionText(CreatedBy)), 120)),
  );
}
