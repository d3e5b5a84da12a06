import { compileGlob } from '../../dockerfile/glob.ts';
import { parseDuration } from '../../lib/duration.ts';
import { Failure } from '../../lib/error.ts';
import { familiarName, familiarReference, type Reference } from '../../oci/reference.ts';
import type { Filters } from '../../wire/filters.ts';

/** `true`, `false`, or undefined when the filter is not asked for. */
export function danglingFilter(filters: Filters): boolean | undefined {
  const values = filters['dangling'] ?? [];
  if (values.length === 0) return undefined;
  if (values.every((value) => value === 'true' || value === '1')) return true;
  if (values.every((value) => value === 'false' || value === '0')) return false;
  throw new Failure('invalid', 'FILTER_INVALID', `invalid filter 'dangling=[${values.join(' ')}]'`);
}

/** `label`: all of them (`name` or `name=value`) are there; `label!`: not all of them are. */
export function matchesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const all = (wanted: readonly string[]) =>
    wanted.every((entry) => {
      const at = entry.indexOf('=');
      const name = at < 0 ? entry : entry.slice(0, at);
      return Object.hasOwn(labels, name) && (at < 0 || labels[name] === entry.slice(at + 1));
    });
  const unwanted = filters['label!'] ?? [];
  return all(filters['label'] ?? []) && (unwanted.length === 0 || !all(unwanted));
}

/** The test of the `reference` patterns, where `*` is any text without `/`; undefined when there is none. */
export function referenceFilter(filters: Filters): ((reference: Reference) => boolean) | undefined {
  const patterns = filters['reference'] ?? [];
  if (patterns.length === 0) return undefined;
  const globs = patterns.map((pattern) => {
    const glob = compileGlob(pattern);
    if (!glob)
      throw new Failure('invalid', 'FILTER_INVALID', `invalid filter 'reference=${pattern}': syntax error in pattern`);
    return glob;
  });
  return (reference) =>
    globs.some((glob) => glob.matches(familiarReference(reference)) || glob.matches(familiarName(reference)));
}

/**
 * The earliest time that `until` names, in milliseconds since the epoch: seconds, a date of RFC 3339, or a duration
 * before now. Undefined when it is not asked for.
 */
export function untilFilter(filters: Filters): number | undefined {
  const times = (filters['until'] ?? []).map((value) => {
    if (/^[0-9]+(\.[0-9]+)?$/.test(value)) return Number(value) * 1000;
    if (/^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(value) && !Number.isNaN(Date.parse(value))) return Date.parse(value);
    try {
      return Date.now() - parseDuration(value) / 1e6;
    } catch (cause) {
      const message = `failed to parse value as time or duration: "${value}"`;
      throw new Failure('invalid', 'FILTER_INVALID', message, { cause });
    }
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The same where things are removed: one time at most. */
export function pruneUntilFilter(filters: Filters): number | undefined {
  if ((filters['until'] ?? []).length <= 1) return untilFilter(filters);
  throw new Failure('invalid', 'FILTER_INVALID', 'more than one until filter specified');
}
