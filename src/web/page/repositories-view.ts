import { linkTo } from './address.ts';
import { addPaged, make, tableOf, tableRow } from './element.ts';
import { registry } from './registry.ts';
import { visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

/** Repositories of the registry that the reader may pull from. */
export async function repositoriesView({ signal }: ViewCall): Promise<View> {
  const { names, isCut } = await registry.repositories(signal);
  const list = filteredList('repository', names, isCut, (name) => [
    make('a', { class: 'image-name', href: linkTo(['repository', name]) }, make('bdi', {}, visible(name))),
  ]);
  return { title: 'Repositories', content: make('div', {}, make('h1', {}, 'Repositories'), list) };
}

/** Tags of a repository. */
export async function repositoryView(repository: string, { signal }: ViewCall): Promise<View> {
  const { names, isCut } = await registry.tags(repository, signal);
  const list = filteredList('tag', names, isCut, (tag) => [
    make('a', { class: 'image-name', href: linkTo(['repository', repository, tag]) }, make('bdi', {}, visible(tag))),
  ]);
  const content = make('div', {}, make('h1', {}, make('bdi', {}, visible(repository))), list);
  return { title: repository, content };
}

const PLURALS = { repository: 'repositories', tag: 'tags' } as const;

function filteredList(
  word: keyof typeof PLURALS,
  names: readonly string[],
  isCut: boolean,
  cells: (name: string) => Element[],
): Element {
  const filter = make('input', {
    type: 'search',
    placeholder: 'Part of a name',
    'aria-label': `Filter ${PLURALS[word]}`,
  });
  const body = make('tbody');
  const shown = make('p', { class: 'quiet' });
  const draw = () => {
    const part = filter.value.trim().toLowerCase();
    const wanted = names.filter((name) => name.toLowerCase().includes(part));
    const sum = `${wanted.length} ${wanted.length === 1 ? word : PLURALS[word]}`;
    shown.textContent = isCut ? `${sum} of the first ${names.length}; there are more` : sum;
    body.replaceChildren();
    addPaged(
      body,
      wanted,
      (name) => tableRow(cells(name)),
      (more) => make('tr', {}, make('td', {}, more)),
    );
  };
  filter.addEventListener('input', draw);
  draw();
  const form = make('form', { role: 'search' }, filter, shown);
  form.addEventListener('submit', (event) => event.preventDefault());
  return make('div', {}, form, tableOf(['Name'], body, PLURALS[word]));
}
