import { instructionText } from '../../oci/instruction-text.ts';
import type { DiffRow, DiffSummary } from '../../wire/insight.ts';
import { goTo, linkTo } from './address.ts';
import { addPaged, make, numberCell, tableOf, tableRow } from './element.ts';
import { host } from './host.ts';
import { imageHeading } from './image-view.ts';
import { count, cut, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

const MOST_ROWS = 20_000;
const TITLES = ['', 'Path', 'Before', 'After', 'Differs in', 'Step'];

/** What another image shows otherwise than this one. */
export async function compareView(image: string, { address, signal }: ViewCall): Promise<View> {
  const other = address.query.get('with') ?? '';
  const names = (await host.images(signal)).flatMap(({ Id, RepoTags }) => (RepoTags?.length ? RepoTags : [Id]));
  const choice = make('input', {
    list: 'images',
    value: other,
    required: true,
    'aria-label': 'The other image',
    placeholder: 'Name or ID',
  });
  const form = make(
    'form',
    {},
    make('label', {}, 'What is other in ', choice),
    make(
      'datalist',
      { id: 'images' },
      names.map((name) => make('option', { value: name })),
    ),
    make('button', {}, 'Compare'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    goTo(['image', image, 'compare'], { with: choice.value.trim() });
  });
  const content = make('div', {}, imageHeading(image, 'compare', true), form);
  if (other !== '') content.append(await difference(image, other, signal));
  return { title: `${image} and ${other}`, content };
}

async function difference(image: string, other: string, signal: AbortSignal): Promise<Element> {
  const rows: DiffRow[] = [];
  let left = 0;
  let summary: DiffSummary | undefined;
  for await (const line of host.diff(image, other, signal)) {
    if (!('Kind' in line)) summary = line;
    else if (rows.length < MOST_ROWS) rows.push(line);
    else left++;
  }
  const body = make('tbody');
  addPaged(
    body,
    rows,
    (row) => diffRow(row, image, other),
    (more) => make('tr', {}, make('td', { colspan: TITLES.length }, more)),
  );
  return make(
    'section',
    { 'aria-label': 'Differences' },
    summary && make('p', {}, sums(summary)),
    left > 0 ? make('p', { class: 'quiet' }, `${left} more are not shown.`) : undefined,
    rows.length > 0 ? tableOf(TITLES, body, 'Differences') : undefined,
  );
}

function sums({ Added, Changed, Removed, Bytes, TimeOnly }: DiffSummary): string {
  if (Added + Changed + Removed === 0)
    return TimeOnly === 0
      ? 'Both show the same.'
      : `Both show the same, but for the times of ${count(TimeOnly, 'entry').replace('entrys', 'entries')}.`;
  const bytes = Bytes < 0 ? `${size(-Bytes)} less` : `${size(Bytes)} more`;
  return `${Added} added, ${Changed} changed, ${Removed} removed, ${bytes}; ${TimeOnly} differ in their time alone.`;
}

const MARKS = { added: 'A', changed: 'C', removed: 'D' } as const;

function diffRow(
  { Kind, Path, Changes, SizeBefore, SizeAfter, Step, StepOf }: DiffRow,
  image: string,
  other: string,
): HTMLTableRowElement {
  const where = Kind === 'removed' ? image : other;
  return tableRow([
    make('span', { class: Kind, title: Kind }, MARKS[Kind]),
    make(
      'a',
      { class: 'mono', href: linkTo(['image', where, 'files'], { path: Path }) },
      make('bdi', {}, visible(Path)),
    ),
    numberCell(SizeBefore === undefined ? '' : size(SizeBefore)),
    numberCell(SizeAfter === undefined ? '' : size(SizeAfter)),
    (Changes ?? []).join(', '),
    [`${Step.Number} of the ${StepOf}: `, make('code', {}, cut(visible(instructionText(Step.CreatedBy)), 80))],
  ]);
}
