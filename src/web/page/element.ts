/** What an element can hold: text is always shown as text. */
export type Content = Node | string | number | undefined | readonly Content[];

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element. There is no other way by which this page makes any, and none that reads markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...content: Content[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  add(element, content);
  return element;
}

/** Replaces what an element holds. */
export function fill(element: Element, ...content: Content[]): void {
  element.replaceChildren();
  add(element, content);
}

export function add(element: Element, content: Content): void {
  if (content === undefined) return;
  if (content instanceof Node) element.append(content);
  else if (typeof content === 'object') for (const part of content) add(element, part);
  else element.append(String(content));
}

export function button(text: string, onClick: () => void): HTMLButtonElement {
  const element = make('button', { type: 'button' }, text);
  element.addEventListener('click', onClick);
  return element;
}

/** A table whose rows are lists of cells. */
export function table(titles: readonly string[], rows: readonly (readonly Content[])[], caption?: string): HTMLElement {
  const body = make('tbody', {}, rows.map(tableRow));
  return tableOf(titles, body, caption);
}

export function tableOf(titles: readonly string[], body: HTMLTableSectionElement, caption?: string): HTMLElement {
  const head = make(
    'tr',
    {},
    titles.map((title) => make('th', { scope: 'col', class: isNumber(title) }, title)),
  );
  const name = caption === undefined ? {} : { 'aria-label': caption };
  return make('div', { class: 'scroll' }, make('table', name, make('thead', {}, head), body));
}

export function tableRow(cells: readonly Content[]): HTMLTableRowElement {
  return make(
    'tr',
    {},
    cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make('td', {}, cell))),
  );
}

/** A cell of a column of numbers. */
export function numberCell(content: Content): HTMLTableCellElement {
  return make('td', { class: 'number' }, content);
}

const isNumber = (title: string) =>
  /^(?:Size|Shared|Unique|Before|After|Bytes|Files|Containers)$/.test(title) ? 'number' : undefined;

/** Terms with what they say; those without a value are left out. */
export function facts(rows: readonly (readonly [term: string, value: Content])[]): HTMLElement {
  const told = rows.filter(
    ([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
  return make(
    'dl',
    {},
    told.flatMap(([term, value]) => [make('dt', {}, term), make('dd', {}, value)]),
  );
}

const PAGE = 500;

/** Adds an element for each of `items` to `parent`, some hundred at a time: the rest waits for a button behind them. */
export function addPaged<T>(
  parent: Element,
  items: readonly T[],
  draw: (item: T) => Element,
  wrap: (more: Element) => Element,
): void {
  let from = 0;
  const next = () => {
    parent.append(...items.slice(from, from + PAGE).map(draw));
    from += PAGE;
    const left = items.length - from;
    if (left <= 0) return;
    const more = wrap(
      button(`Show ${Math.min(left, PAGE)} more of ${left}`, () => {
        more.remove();
        next();
      }),
    );
    parent.append(more);
  };
  next();
}
