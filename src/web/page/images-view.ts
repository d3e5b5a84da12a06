import { shortenId } from '../../oci/short-id.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { linkTo } from './address.ts';
import { addPaged, make, numberCell, tableOf, tableRow } from './element.ts';
import { host } from './host.ts';
import { count, moment, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

const TITLES = ['Image', 'ID', 'Platform', 'Created', 'Size', 'Shared', 'Unique', 'Containers'];

/** Every image of the host. */
export async function imagesView({ signal }: ViewCall): Promise<View> {
  const images = await host.images(signal);
  const filter = make('input', {
    type: 'search',
    placeholder: 'Part of a name or an ID',
    'aria-label': 'Filter images',
  });
  const order = make(
    'select',
    { 'aria-label': 'Order' },
    Object.keys(ORDERS).map((name) => make('option', {}, name)),
  );
  const platforms = new Platforms(signal);
  const body = make('tbody');
  const shown = make('p', { class: 'quiet' });
  const draw = () => {
    const word = filter.value.trim().toLowerCase();
    const wanted = images.filter(({ Id, RepoTags }) =>
      [Id, ...(RepoTags ?? [])].some((name) => name.toLowerCase().includes(word)),
    );
    shown.textContent = count(wanted.length, 'image');
    body.replaceChildren();
    const sorted = wanted.toSorted(ORDERS[order.value] ?? (() => 0));
    addPaged(
      body,
      sorted,
      (image) => imageRow(image, platforms),
      (more) => make('tr', {}, make('td', { colspan: TITLES.length }, more)),
    );
  };
  filter.addEventListener('input', draw);
  order.addEventListener('change', draw);
  draw();
  const form = make('form', { role: 'search' }, filter, make('label', {}, 'Order: ', order), shown);
  form.addEventListener('submit', (event) => event.preventDefault());
  return { title: 'Images', content: make('div', {}, make('h1', {}, 'Images'), form, tableOf(TITLES, body, 'Images')) };
}

const ORDERS: Readonly<Record<string, (a: ImageSummary, b: ImageSummary) => number>> = {
  'newest first': (a, b) => b.Created - a.Created,
  'largest first': (a, b) => b.Size - a.Size,
  'by name': (a, b) => (a.RepoTags?.[0] ?? '~').localeCompare(b.RepoTags?.[0] ?? '~'),
};

/** Platforms of images, which lists do not tell: asked for one by one, of the rows that are drawn. */
class Platforms {
  readonly #signal: AbortSignal;
  readonly #known = new Map<string, Promise<string>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  cell(id: string): Element {
    const cell = make('span', { class: 'nowrap' });
    void this.#of(id).then((platform) => {
      cell.textContent = platform;
    });
    return cell;
  }

  #of(id: string): Promise<string> {
    const known = this.#known.get(id) ?? this.#last.then(() => this.#ask(id));
    this.#known.set(id, known);
    this.#last = known;
    return known;
  }

  async #ask(id: string): Promise<string> {
    if (this.#signal.aborted) return '';
    // An image that is gone meanwhile has none.
    const inspect = await host.inspect(id, this.#signal).catch(() => undefined);
    return inspect ? visible([inspect.Os, inspect.Architecture, inspect.Variant].filter(Boolean).join('/')) : '';
  }
}

function imageRow(image: ImageSummary, platforms: Platforms): HTMLTableRowElement {
  const names = (image.RepoTags ?? []).filter((name) => name !== '<none>:<none>');
  const links = names.map((name) =>
    make('div', {}, make('a', { class: 'image-name', href: linkTo(['image', name]) }, make('bdi', {}, name))),
  );
  const id = make('a', { href: linkTo(['image', image.Id]), class: 'mono' }, shortenId(image.Id));
  const isShared = image.SharedSize >= 0;
  return tableRow([
    links.length === 0 ? make('span', { class: 'quiet' }, '<none>') : links,
    id,
    platforms.cell(image.Id),
    make('span', { class: 'nowrap' }, moment(image.Created)),
    numberCell(size(image.Size)),
    numberCell(isShared ? size(image.SharedSize) : ''),
    numberCell(isShared ? size(image.Size - image.SharedSize) : ''),
    numberCell(image.Containers >= 0 ? image.Containers : ''),
  ]);
}
