import { Failure } from '../lib/error.ts';
import type { Filters } from '../wire/filters.ts';
import { flag, list, map, text } from './check.ts';
import type { Query } from './query.ts';

/**
 * Reads the `filters` parameter, `{"key":{"value":true}}` or the older `{"key":["value"]}`, and refuses a key that is
 * not in `allowed`.
 */
export function readFilters(query: Query, allowed: readonly string[]): Filters {
  const filters = query.json('filters', map(values)) ?? {};
  for (const key of Object.keys(filters)) {
    if (!allowed.includes(key)) throw new Failure('invalid', 'FILTER_INVALID', `invalid filter '${key}'`);
  }
  return filters;
}

/** One filter that is a yes or no; undefined when it is not asked for. */
export function flagFilter(filters: Filters, key: string): boolean | undefined {
  const asked = filters[key];
  if (!asked || asked.length === 0) return undefined;
  const yes = asked.some((value) => ['1', 'true'].includes(value.toLowerCase()));
  const no = asked.some((value) => ['0', 'false'].includes(value.toLowerCase()));
  if (yes === no) throw new Failure('invalid', 'FILTER_INVALID', `invalid filter '${key}=[${asked.join(' ')}]'`);
  return yes;
}

function values(value: unknown, at: string): string[] {
  if (Array.isArray(value)) return list(text)(value, at);
  return Object.entries(map(flag)(value, at)).flatMap(([key, wanted]) => (wanted ? [key] : []));
}
