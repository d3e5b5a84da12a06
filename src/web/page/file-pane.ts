import { instructionText } from '../../oci/instruction-text.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { BlameRow, EntryState } from '../../wire/insight.ts';
import { linkTo } from './address.ts';
import { hexDump, textOf } from './dump.ts';
import { button, type Content, facts, fill, make, table } from './element.ts';
import { host } from './host.ts';
import { lastName, size, visible } from './text.ts';
import { sayTrouble } from './trouble-panel.ts';

/** Of text; of other bytes what fits a page is enough. */
const TEXT_LIMIT = 256 << 10;
const HEX_LIMIT = 4 << 10;

/** Fills the pane with what is known of a path: its steps, what it is in the whole image, and what is in it. */
export async function showPath(pane: Element, image: string, path: string, signal: AbortSignal): Promise<void> {
  fill(pane, heading(path), make('p', { class: 'quiet' }, 'Loading…'));
  try {
    const steps: BlameRow[] = [];
    for await (const row of host.blame(image, path, signal)) steps.push(row);
    const state = steps.at(-1)?.After;
    const parts: Content[] = [heading(path), state ? stateFacts(state, image, path) : GONE];
    if (state?.Type === 'file' || state?.Type === 'hardlink') parts.push(await fileContent(image, path, signal));
    fill(pane, parts, make('h2', {}, 'Steps that touched it'), blameTable(steps));
  } catch (error) {
    if (!signal.aborted) fill(pane, heading(path), sayTrouble(error));
  }
}

const GONE = 'The image does not show it: a step deleted it.';

function heading(path: string): Element {
  return make('h2', { class: 'mono' }, make('bdi', {}, visible(path)));
}

function stateFacts(state: EntryState, image: string, path: string): Element {
  return facts([
    ['Type', TYPES[state.Type]],
    ['Mode', `${fileMode(state.Type, state.Mode)} (${state.Mode.toString(8).padStart(4, '0')})`],
    ['Owner', `${state.Uid}:${state.Gid}`],
    [
      'Size',
      state.Type === 'file' || state.Type === 'hardlink' ? `${size(state.Size)} (${state.Size} bytes)` : undefined,
    ],
    ['Leads to', state.Link === undefined ? undefined : linkTarget(state, image, path)],
    ['Digest', state.Digest && make('code', {}, state.Digest)],
  ]);
}

const TYPES: Readonly<Record<EntryState['Type'], string>> = {
  file: 'file',
  hardlink: 'file with several names',
  directory: 'folder',
  symlink: 'symbolic link',
  char: 'character device',
  block: 'block device',
  fifo: 'named pipe',
};

function linkTarget({ Link = '', Type }: EntryState, image: string, path: string): Element {
  const base = Type === 'hardlink' || Link.startsWith('/') ? [] : path.split('/').slice(0, -1);
  const names: string[] = [];
  for (const name of [...base, ...Link.split('/')])
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  return make(
    'a',
    { href: linkTo(['image', image, 'files'], { path: `/${names.join('/')}` }) },
    make('bdi', {}, visible(Link)),
  );
}

async function fileContent(image: string, path: string, signal: AbortSignal): Promise<Content> {
  const { bytes, isWhole } = await host.startOfFile(image, path, TEXT_LIMIT, signal);
  const text = textOf(bytes, isWhole);
  const shown = text === undefined ? bytes.subarray(0, HEX_LIMIT) : bytes;
  const isCut = !isWhole || shown.length < bytes.length;
  return [
    make(
      'p',
      {},
      button('Download', () => void download(image, path, signal)),
      isCut ? ` Below are its first ${size(shown.length)}.` : '',
    ),
    make('pre', { class: 'content', tabindex: 0, 'aria-label': 'Content' }, text ?? hexDump(shown)),
  ];
}

/** The browser keeps large ones on its disk until they are whole. */
async function download(image: string, path: string, signal: AbortSignal): Promise<void> {
  const status = document.getElementById('status');
  try {
    if (status) status.textContent = `Downloading ${visible(path)}…`;
    const blob = await (await host.wholeFile(image, path, signal)).blob();
    const url = URL.createObjectURL(blob);
    make('a', { href: url, download: lastName(path).toWellFormed() }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    if (status) status.textContent = '';
  } catch (error) {
    if (status && !signal.aborted) status.replaceChildren(sayTrouble(error));
  }
}

function blameTable(steps: readonly BlameRow[]): Element {
  const rows = steps.map(({ Step, Kind, Changes, By, After }) => {
    const what =
      Kind === 'changed'
        ? `changed (${(Changes ?? []).join(', ')})`
        : Kind === 'shadowed'
          ? `deleted with ${visible(By ?? '')}`
          : Kind;
    return [
      String(Step.Number),
      make('span', { class: Kind }, what),
      After ? size(After.Size) : '',
      make('code', {}, visible(instructionText(Step.CreatedBy))),
    ];
  });
  return table(['Step', 'What', 'Bytes', 'Instruction'], rows, 'Steps that touched it');
}
