import { shortenId } from '../../oci/short-id.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { FoundRow } from '../../wire/insight.ts';
import { goTo, linkTo } from './address.ts';
import { addPaged, make, numberCell, tableOf, tableRow } from './element.ts';
import { host } from './host.ts';
import { count, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

const MOST_ROWS = 5_000;
const TITLES = ['Image', 'Path', 'Size', 'Mode', 'Owner', 'Step'];

/** Files by name, in one image or in all of them. */
export async function findView({ address, signal }: ViewCall): Promise<View> {
  const pattern = address.query.get('pattern') ?? '';
  const image = address.query.get('image') || undefined;
  const words = make('input', {
    type: 'search',
    value: pattern,
    required: true,
    'aria-label': 'Name or pattern',
    placeholder: 'Name, or pattern: *.so',
  });
  const where = make('input', { value: image ?? '', 'aria-label': 'Image', placeholder: 'All images' });
  const form = make('form', { role: 'search' }, words, make('label', {}, 'in ', where), make('button', {}, 'Find'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    goTo(['find'], { pattern: words.value, image: where.value.trim() || undefined });
  });
  const content = make('div', {}, make('h1', {}, 'Find files'), form);
  if (pattern !== '') content.append(await found(image, pattern, signal));
  return { title: 'Find files', content };
}

async function found(image: string | undefined, pattern: string, signal: AbortSignal): Promise<Element> {
  const rows: FoundRow[] = [];
  let isCut = false;
  for await (const row of host.find(image, /[*?[]/.test(pattern) ? pattern : `*${pattern}*`, signal)) {
    isCut = rows.length === MOST_ROWS;
    if (isCut) break;
    rows.push(row);
  }
  const body = make('tbody');
  addPaged(body, rows, foundRow, (more) => make('tr', {}, make('td', { colspan: TITLES.length }, more)));
  const sum = isCut ? `The first ${MOST_ROWS}; a longer name finds fewer.` : `${count(rows.length, 'file')} found`;
  return make(
    'section',
    { 'aria-label': 'Found' },
    make('p', { class: 'quiet' }, sum),
    rows.length > 0 ? tableOf(TITLES, body, 'Found') : undefined,
  );
}

function foundRow({ Image, Names, Path, Type, Size, Mode, Uid, Gid, Step }: FoundRow): HTMLTableRowElement {
  const image = Names[0] ?? Image;
  return tableRow([
    make('a', { href: linkTo(['image', image]) }, make('bdi', {}, Names[0] ?? shortenId(Image))),
    make(
      'a',
      { class: 'mono', href: linkTo(['image', image, 'files'], { path: Path }) },
      make('bdi', {}, visible(Path)),
    ),
    numberCell(Type === 'directory' ? '' : size(Size)),
    make('code', {}, fileMode(Type, Mode)),
    `${Uid}:${Gid}`,
    String(Step.Number),
  ]);
}
