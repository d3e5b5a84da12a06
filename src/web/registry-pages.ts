import type { ServerResponse } from 'node:http';
import { type About, answerDocument, ExplorerPage } from './explorer-page.ts';

/**
 * The explorer's page for a registry: it asks by the registry's API, as the person who looks at it, whose name and
 * password it sends itself. `folder`: where the build left the page.
 */
export function registryPages(folder: URL): { answer(name: string, response: ServerResponse): boolean } {
  const page = new ExplorerPage(folder);
  const about: About = { kind: 'registry' };
  return {
    answer(name, response) {
      if (name !== 'about.json') return page.answer(name, response);
      answerDocument(response, 200, about);
      return true;
    },
  };
}
