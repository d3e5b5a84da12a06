import { instructionText } from '../../oci/instruction-text.ts';
import { shortenId } from '../../oci/short-id.ts';
import { type Content, make, numberCell, table } from './element.ts';
import { count, cut, moment, size, visible } from './text.ts';

/** One step of an image's history. */
export interface Step {
  readonly number: number;
  readonly createdBy: string;
  readonly comment: string;
  /** Unix seconds. */
  readonly created: number;
  /** Bytes; undefined when nobody tells. */
  readonly size: number | undefined;
  /** Digest of its layer, for steps that are known to have one. */
  readonly layer: string | undefined;
  /** Where the changes of its layer are shown. */
  readonly link: string | undefined;
  /** Names of the other images that stand on its layer. */
  readonly sharers: readonly string[];
}

const LONG = 300;
const MOST_SHARERS = 20;

/** The steps of an image, oldest first, each with the size of its layer. */
export function stepsTable(steps: readonly Step[]): Element {
  const largest = Math.max(1, ...steps.map((step) => step.size ?? 0));
  const rows = steps.map((step) => [
    numberCell(step.number),
    instruction(step),
    numberCell(sizeWithBar(step.size, largest)),
    layerCell(step),
    make('span', { class: 'nowrap' }, moment(step.created)),
  ]);
  return table(['Step', 'Instruction', 'Size', 'Layer', 'Created'], rows, 'History');
}

function instruction({ createdBy, comment }: Step): Content {
  const text = visible(instructionText(createdBy) || comment) || '(nothing told)';
  const original = visible(createdBy);
  if (text.length <= LONG && original === text) return make('code', {}, text);
  return make(
    'details',
    { class: 'plain' },
    make('summary', { title: 'The whole text as the history has it' }, make('code', {}, cut(text, LONG))),
    make('pre', {}, original),
  );
}

function sizeWithBar(bytes: number | undefined, largest: number): Content {
  if (bytes === undefined) return '';
  if (bytes === 0) return make('span', { class: 'quiet' }, '0B');
  const bar = make('span', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.width = `${(bytes / largest) * 100}%`;
  return [size(bytes), bar];
}

function layerCell({ layer, link, sharers }: Step): Content {
  if (layer === undefined) return '';
  const id = make('code', { title: layer, class: 'nowrap' }, shortenId(layer));
  const files = link && make('div', {}, make('a', { href: link, class: 'nowrap' }, 'its files'));
  const title = sharers.slice(0, MOST_SHARERS).map(visible).join('\n');
  const shared = make('div', { class: 'quiet nowrap', title }, `also in ${count(sharers.length, 'image')}`);
  return [id, files, sharers.length > 0 ? shared : undefined];
}
