import { Failure } from '../../../lib/error.ts';
import { own } from '../../../lib/own.ts';
import type { CacheRecord } from '../../../wire/disk-usage.ts';

/** Records that are asked for. https://github.com/containerd/containerd/blob/main/pkg/filters/filter.go has the grammar. */
export type CacheTest = (record: CacheRecord) => boolean;

/** What a field of a record says: a word, or a yes or no that is there or not. */
const FIELDS: Readonly<Record<string, (record: CacheRecord) => string | boolean>> = {
  id: ({ ID }) => ID,
  type: ({ Type }) => Type,
  description: ({ Description }) => Description,
  inuse: ({ InUse }) => InUse,
  shared: ({ Shared }) => Shared,
  private: ({ Shared }) => !Shared,
  mutable: (record) => isMutable(record),
  immutable: (record) => !isMutable(record),
};

const LONGEST = 4096;
const SELECTOR = /^(\w+)(?:(==|!=|~=)("(?:[^"\\]|\\.)*"|[^,]*))?(?:,|$)/;

/** The files of a cache mount change; results of steps do not. */
export function isMutable({ Type }: CacheRecord): boolean {
  return Type === 'exec.cachemount';
}

/** The test of some filters, of which one must hold: `type==regular,shared`. Throws a Failure (`invalid`). */
export function cacheTest(filters: readonly string[]): CacheTest {
  const tests = filters.filter((text) => text !== '').map((text) => filterTest(text));
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

function filterTest(text: string): CacheTest {
  if (text.length > LONGEST) throw invalid(text);
  const tests: CacheTest[] = [];
  for (let rest = text; rest !== ''; ) {
    const match = SELECTOR.exec(rest);
    if (!match) throw invalid(text);
    const [whole, name = '', operator, value = ''] = match;
    tests.push(selectorTest(name, operator, unquoted(value), text));
    rest = rest.slice(whole.length);
  }
  return (record) => tests.every((test) => test(record));
}

function selectorTest(name: string, operator: string | undefined, value: string, filter: string): CacheTest {
  const field = own(FIELDS, name);
  if (!field) throw new Failure('invalid', 'FILTER_INVALID', `invalid filter '${name}'`);
  if (operator === undefined) return (record) => field(record) !== false;
  if (operator === '~=') {
    const pattern = patternOf(value, filter);
    return (record) => pattern.test(wordOf(field(record)));
  }
  return (record) => (wordOf(field(record)) === value) === (operator === '==');
}

function wordOf(value: string | boolean): string {
  return typeof value === 'string' ? value : value ? 'true' : 'false';
}

/**
 * Values of `~=` are patterns. They are tried on short words only, but a pattern can be slow on any: what is not plain is
 * refused.
 */
function patternOf(value: string, filter: string): RegExp {
  if (!/^\^?[\w ./:@-]*\$?$/.test(value)) throw invalid(filter);
  return new RegExp(value);
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}

function invalid(filter: string): Failure {
  return new Failure('invalid', 'FILTER_INVALID', `invalid filter '${filter.slice(0, 200)}'`);
}
