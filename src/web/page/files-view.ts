import { instructionText } from '../../oci/instruction-text.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { ChangeRow, EntryState, FileRow, LayerRow } from '../../wire/insight.ts';
import { type Address, goTo, linkTo } from './address.ts';
import { addPaged, button, fill, make } from './element.ts';
import { showPath } from './file-pane.ts';
import { host } from './host.ts';
import { imageHeading } from './image-view.ts';
import { cut, lastName, size, visible } from './text.ts';
import { sayTrouble } from './trouble-panel.ts';
import type { View, ViewCall } from './view.ts';

/** An entry of a folder, as a row shows it. */
interface Entry {
  readonly path: string;
  readonly state: Pick<EntryState, 'Type' | 'Mode' | 'Uid' | 'Gid' | 'Link'>;
  readonly size: string;
  /** What the chosen layer did to it. */
  readonly kind: ChangeRow['Kind'] | undefined;
}

/** The files of an image, or what the layer of one step did to them; beside them what is known of a chosen one. */
export async function filesView(image: string, { address, signal }: ViewCall): Promise<View> {
  const layers = await host.layers(image, signal);
  const step = stepIn(address);
  const pane = make('section', { 'aria-label': 'Chosen file', 'aria-live': 'polite' });
  const tree = new FileTree(image, step, signal);
  let choice = new AbortController();
  const choose = (path: string | undefined) => {
    choice.abort();
    choice = new AbortController();
    tree.choose(path);
    if (path === undefined)
      fill(pane, make('p', { class: 'quiet' }, 'Choose a file to see what is in it and which steps made it.'));
    else void showPath(pane, image, path, AbortSignal.any([signal, choice.signal]));
  };
  choose(address.query.get('path'));
  const list = await tree.folder('/');
  const content = make(
    'div',
    {},
    imageHeading(image, 'files', true),
    tools(image, layers, step),
    make('div', { class: 'panes' }, make('section', { 'aria-label': 'Files' }, list), pane),
  );
  return {
    title: `Files of ${image}`,
    content,
    update(next) {
      const isSame = next.words.join('\n') === address.words.join('\n') && stepIn(next) === step;
      if (isSame) choose(next.query.get('path'));
      return isSame;
    },
  };
}

function stepIn({ query }: Address): number | undefined {
  const text = query.get('step');
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The choice of a layer, and the search. */
function tools(image: string, layers: readonly LayerRow[], step: number | undefined): Element {
  const options = layers.map(({ Number: number, CreatedBy, Size }) => {
    const text = cut(visible(instructionText(CreatedBy)), 80);
    return make('option', { value: number, selected: number === step }, `only step ${number} (${size(Size)}): ${text}`);
  });
  const choice = make('select', {}, make('option', { value: '' }, 'the whole image'), options);
  choice.addEventListener('change', () =>
    goTo(['image', image, 'files'], { step: choice.value === '' ? undefined : choice.value }),
  );
  const pattern = make('input', {
    type: 'search',
    placeholder: 'Name, or pattern: *.so',
    'aria-label': 'Find files by name',
  });
  const form = make(
    'form',
    { role: 'search' },
    make('label', {}, 'Show ', choice),
    pattern,
    make('button', {}, 'Find'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (pattern.value !== '') goTo(['find'], { pattern: pattern.value, image });
  });
  return form;
}

/** Folders that ask for what they hold when they are opened. */
class FileTree {
  readonly #image: string;
  readonly #step: number | undefined;
  readonly #signal: AbortSignal;
  readonly #rows = new Map<string, Element>();
  #chosen: string | undefined;

  constructor(image: string, step: number | undefined, signal: AbortSignal) {
    this.#image = image;
    this.#step = step;
    this.#signal = signal;
  }

  /** Marks the row of a path; folders that are opened later open on the way to it. */
  choose(path: string | undefined): void {
    if (this.#chosen !== undefined) this.#rows.get(this.#chosen)?.classList.remove('chosen');
    this.#chosen = path;
    if (path !== undefined) this.#rows.get(path)?.classList.add('chosen');
  }

  async folder(path: string): Promise<Element> {
    const entries = (await this.#entries(path)).sort(foldersFirst);
    const list = make('ul', { class: path === '/' ? 'files' : undefined });
    if (entries.length === 0)
      return make(
        'p',
        { class: 'quiet' },
        this.#step === undefined ? 'Nothing is in it.' : 'This layer changes nothing here.',
      );
    addPaged(
      list,
      entries,
      (entry) => this.#item(entry),
      (more) => make('li', {}, more),
    );
    return list;
  }

  async #entries(path: string): Promise<Entry[]> {
    const entries: Entry[] = [];
    if (this.#step === undefined)
      for await (const row of host.files(this.#image, path, this.#signal)) entries.push(entryOf(row));
    else
      for await (const row of host.changes(this.#image, this.#step, path, this.#signal))
        entries.push(changedEntry(row));
    return entries;
  }

  #item(entry: Entry): HTMLLIElement {
    const isFolder = entry.state.Type === 'directory';
    const row = make(isFolder ? 'summary' : 'div', { class: 'row' }, this.#cells(entry));
    this.#rows.set(entry.path, row);
    if (entry.path === this.#chosen) row.classList.add('chosen');
    if (!isFolder) return make('li', {}, row);
    const details = make('details', {}, row);
    details.addEventListener('toggle', () => void this.#open(details, entry.path));
    if (this.#chosen?.startsWith(`${entry.path}/`)) details.open = true;
    return make('li', {}, details);
  }

  async #open(details: HTMLDetailsElement, path: string): Promise<void> {
    if (!details.open || details.childElementCount > 1) return;
    const waiting = make('p', { class: 'quiet' }, 'Loading…');
    details.append(waiting);
    try {
      waiting.replaceWith(await this.folder(path));
    } catch (error) {
      if (this.#signal.aborted) return;
      const again = button('Try again', () => {
        panel.remove();
        void this.#open(details, path);
      });
      const panel = sayTrouble(error, again);
      waiting.replaceWith(panel);
    }
  }

  #cells({ path, state, size: bytes, kind }: Entry) {
    const name = visible(lastName(path)) + (state.Type === 'directory' ? '/' : '');
    const target = state.Type === 'symlink' || state.Type === 'hardlink' ? state.Link : undefined;
    const arrow = state.Type === 'symlink' ? ' → ' : ' = ';
    return [
      kind && make('span', { class: `mark ${kind}`, title: WORDS[kind] }, MARKS[kind]),
      make(
        'span',
        { class: `name ${kind ?? ''}` },
        make('a', { href: linkTo(['image', this.#image, 'files'], { path, step: this.#step }) }, make('bdi', {}, name)),
        target === undefined ? undefined : make('span', { class: 'quiet' }, arrow, make('bdi', {}, visible(target))),
      ),
      make('span', { class: 'size' }, bytes),
      make('span', { class: 'quiet' }, fileMode(state.Type, state.Mode)),
      make('span', { class: 'quiet owner' }, `${state.Uid}:${state.Gid}`),
    ];
  }
}

const MARKS = { added: 'A', changed: 'C', repeated: 'R', deleted: 'D', shadowed: 'D', inside: '' } as const;
const WORDS = {
  added: 'added',
  changed: 'changed',
  repeated: 'stored again as it was',
  deleted: 'deleted',
  shadowed: 'deleted with its folder',
  inside: 'holds what was changed',
} as const;

function entryOf(row: FileRow): Entry {
  const device = row.Device?.join(', ');
  return { path: row.Path, state: row, size: device ?? size(row.Total ?? row.Size), kind: undefined };
}

const GONE = { Type: 'directory', Mode: 0o755, Uid: 0, Gid: 0 } as const;

function changedEntry(row: ChangeRow): Entry {
  const parts = [row.Stored > 0 ? `+${size(row.Stored)}` : '', row.Hidden > 0 ? `−${size(row.Hidden)}` : ''];
  return {
    path: row.Path,
    state: row.After ?? row.Before ?? GONE,
    size: parts.filter(Boolean).join(' ') || '0B',
    kind: row.Kind,
  };
}

function foldersFirst(a: Entry, b: Entry): number {
  return Number(b.state.Type === 'directory') - Number(a.state.Type === 'directory');
}
