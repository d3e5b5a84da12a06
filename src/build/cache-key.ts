import { type Digest, digestOf } from '../oci/digest.ts';
import { conceal } from './explain/conceal.ts';

/** The component that is the digest of the files that a COPY takes. */
export const FILES = 'files';

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
  return {
    site,
    digest: keyDigest(list),
    components: list.map(({ name, value }) => ({ name, value: concealed(name, value) })),
  };
}

/** The digest of a key with these components, none of them concealed. */
export function keyDigest(components: readonly KeyComponent[]): Digest {
  return digestOf(JSON.stringify(components.map(({ name, value }) => [name.replace(/^arg /, 'env '), value])));
}

/** The key without the files that it depends on, under which a COPY asks whether it is worth the while to look at them. */
export function partialKeyOf({ site, components }: CacheKey): CacheKey | undefined {
  const rest = components.filter(({ name }) => name !== FILES);
  return rest.length === components.length ? undefined : { site, digest: keyDigest(rest), components: rest };
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
