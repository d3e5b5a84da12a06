import { type Digest, digestOf } from '../oci/digest.ts';
import { conceal } from './explain/conceal.ts';

/** One named reason for which two steps are not the same: `base`, `command`, `env PATH`, `arg WHO`, `files`, ... */
export interface KeyComponent {
  readonly name: string;
  readonly value: string;
}

/** A step's cache key with what it was made of, so that a miss can be answered with the component that changed. */
export interface CacheKey {
  readonly digest: Digest;
  /** Which instruction it is, whatever its inputs: where to look for what a missed key should be compared with. */
  readonly site: string;
  readonly components: readonly KeyComponent[];
}

/**
 * Makes a key. Order counts; undefined values are left out. `site` is no part of it, nor is whether a variable comes from an
 * ARG or an ENV.
 */
export function cacheKey(site: string, components: Readonly<Record<string, string | undefined>>): CacheKey {
  const list = Object.entries(components).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  const digest = digestOf(JSON.stringify(list.map(({ name, value }) => [name.replace(/^arg /, 'env '), value])));
  return { site, digest, components: list.map(({ name, value }) => ({ name, value: concealed(name, value) })) };
}

/** Values of variables that look like secrets are not kept. */
function concealed(component: string, value: string): string {
  const variable = /^(?:arg|env) (.*)$/s.exec(component)?.[1];
  return variable === undefined ? value : conceal(variable, value);
}

/** Components for each `NAME=value` of a list, under `prefix NAME`. */
export function variableComponents(prefix: string, entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [`${prefix} ${entry}`, ''] : [`${prefix} ${entry.slice(0, at)}`, entry.slice(at + 1)];
    }),
  );
}
