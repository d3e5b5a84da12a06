import type { CacheChange } from '../../wire/build-explain.ts';
import type { KeyComponent } from '../cache-key.ts';
import { isConcealed } from './conceal.ts';

/** What of a key can be compared. */
export interface ComparedKey {
  /** The instruction's text. */
  readonly site: string;
  readonly components: readonly KeyComponent[];
}

/** Components that the text of the instruction decides: when it is another, they say nothing more. */
const OF_TEXT = new Set([
  'command',
  'instruction',
  'destination',
  'chown',
  'chmod',
  'parents',
  'unpack',
  'path',
  'link',
]);

/** What differs between two keys, but for the result that they stand on (`base`). */
export function compareKeys(before: ComparedKey, after: ComparedKey): CacheChange[] {
  const old = new Map(before.components.map(({ name, value }) => [name, value]));
  const now = new Map(after.components.map(({ name, value }) => [name, value]));
  const changes: CacheChange[] = [];
  const isOtherText = before.site !== after.site;
  if (isOtherText) changes.push({ What: 'instruction', Before: before.site, After: after.site });
  for (const name of new Set([...now.keys(), ...old.keys()])) {
    if (name === 'base' || (isOtherText && OF_TEXT.has(name))) continue;
    const [was, is] = [old.get(name), now.get(name)];
    if (was !== is) changes.push(changeOf(name, was, is));
  }
  return changes;
}

/** The value of a component. */
export function componentOf(key: ComparedKey, name: string): string | undefined {
  return key.components.find((component) => component.name === name)?.value;
}

/** Digest of a list of files in a component's value: `files` is one, a bind mount's value ends with one. */
export function listingIn(value: string | undefined): string | undefined {
  return value === undefined ? undefined : /(?:^|\s)(sha256:[0-9a-f]{64})(?: rw)?$/.exec(value)?.[1];
}

function changeOf(component: string, before: string | undefined, after: string | undefined): CacheChange {
  const space = component.indexOf(' ');
  const [What, Name] = space < 0 ? [component, undefined] : [component.slice(0, space), component.slice(space + 1)];
  const named = Name === undefined ? { What } : { What, Name };
  const values = {
    ...(before === undefined ? {} : { Before: before }),
    ...(after === undefined ? {} : { After: after }),
  };
  if ([before, after].some((value) => value !== undefined && isConcealed(value))) return { ...named, Hidden: true };
  if (What !== 'command' || before === undefined || after === undefined) return { ...named, ...values };
  return { What, ...firstDifference(before, after) };
}

/** Of two commands as JSON lists, the words that differ first, from the first line that is not the same. */
function firstDifference(before: string, after: string): { Before: string; After: string } {
  const [old, now] = [before, after].map((value) => (JSON.parse(value) as string[]).join('\n').split('\n')); // run-step.ts
  const at = (old ?? []).findIndex((line, index) => line !== now?.[index]);
  const from = at < 0 ? (old?.length ?? 0) : at;
  return { Before: old?.[from] ?? '', After: now?.[from] ?? '' };
}
