import { Failure } from '../lib/error.ts';
import type { RegistryConnection } from './connection.ts';
import type { HttpAnswer } from './http.ts';
import { readJson } from './read-json.ts';

const PAGE_LIMIT = 8 << 20;
const PAGES = 1000;

export interface NamesRequest {
  /** Relative to the registry's base. */
  readonly url: string;
  /** Of the answer: `tags`, `repositories`. */
  readonly field: string;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
}

/** All names of a list that a registry gives page by page, in its order. */
export async function* listNames(connection: RegistryConnection, request: NamesRequest): AsyncGenerator<string> {
  const { field, scopes, signal } = request;
  let url: string | URL | undefined = request.url;
  for (let page = 0; url !== undefined; page++) {
    if (page >= PAGES) throw new Failure('invalid', 'LIST_ENDLESS', `the list ${request.url} does not end`);
    const answer: HttpAnswer = await connection.send({ method: 'GET', url, scopes, expect: [200], signal });
    const names = (await readJson(answer, PAGE_LIMIT, signal))[field];
    for (const name of Array.isArray(names) ? names : []) if (typeof name === 'string') yield name;
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers['link'] ?? ''))?.[1];
    url = next === undefined ? undefined : new URL(next, answer.url);
  }
}
