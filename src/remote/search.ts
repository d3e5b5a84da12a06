import { Failure, isFailure } from '../lib/error.ts';
import type { RegistryAuth, SearchRow } from '../wire/auth.ts';
import { listNames } from './list-names.ts';
import { readJson } from './read-json.ts';
import type { Registries } from './registries.ts';

const ANSWER_LIMIT = 8 << 20;
/** Docker's bounds of the number of rows. */
const ROWS = 100;

export interface SearchRequest {
  /** Of which registry; docker.io is asked at index.docker.io. */
  readonly registry: string;
  readonly term: string;
  readonly limit: number;
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
}

/**
 * Repositories whose name or description has the term, as the registry's search says (`/v1/search`); of a registry that has
 * none, those of its catalogue whose name contains it.
 */
export async function search(registries: Registries, request: SearchRequest): Promise<SearchRow[]> {
  const { term, limit, signal } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > ROWS)
    throw new Failure('invalid', 'LIMIT_INVALID', `Limit ${limit} is outside the range of [1, ${ROWS}]`);
  const registry = request.registry === 'docker.io' ? 'index.docker.io' : request.registry;
  const connection = await registries.connect(registry, request);
  const get = (url: string, scopes: readonly string[]) =>
    connection.send({ method: 'GET', url, scopes, expect: [200], signal });
  try {
    const query = new URLSearchParams({ q: term, n: String(limit) });
    const answer = await get(`v1/search?${query}`, []);
    const results = (await readJson(answer, ANSWER_LIMIT, signal))['results'];
    return (Array.isArray(results) ? results : []).slice(0, limit).flatMap(toRow);
  } catch (error) {
    if (!isFailure(error, 'not-found', 'unsupported')) throw error;
  }
  const rows: SearchRow[] = [];
  const catalogue = { url: 'v2/_catalog', field: 'repositories', scopes: ['registry:catalog:*'], signal };
  for await (const name of listNames(connection, catalogue)) {
    if (name.includes(term.toLowerCase())) rows.push(...toRow({ name }));
    if (rows.length === limit) break;
  }
  return rows;
}

function toRow(result: unknown): SearchRow[] {
  const { name, description, ...more }: Record<string, unknown> = { ...Object(result) };
  if (typeof name !== 'string') return [];
  return [
    {
      name,
      description: typeof description === 'string' ? description : '',
      star_count: Number(more['star_count'] ?? 0) || 0,
      is_official: more['is_official'] === true,
      is_automated: more['is_automated'] === true,
    },
  ];
}
