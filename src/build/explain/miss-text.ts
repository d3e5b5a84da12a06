import type { CacheChange, CacheMiss } from '../../wire/build-explain.ts';
import { listingIn } from './compare-keys.ts';

const LONG = 120;

/** Why a step missed the cache, as lines for people. */
export function missText(miss: CacheMiss): string[] {
  switch (miss.Cause) {
    case 'first':
      return ['nothing like it was built before'];
    case 'no-cache':
      return ['the build was told not to use the cache'];
    case 'removed':
      return [`the cache had it${inBuild(miss)}; it was removed since`];
    case 'failed':
      return [`it failed${inBuild(miss)} and left no result`];
    case 'follows':
      return [`step ${miss.Follows} before it has a new result`];
    case 'changed': {
      const lines = miss.Changes.flatMap(changeText);
      return miss.Follows === undefined ? lines : [...lines, `step ${miss.Follows} before it has a new result too`];
    }
  }
}

function inBuild({ Compared }: CacheMiss): string {
  return Compared?.Build === undefined ? '' : ` in build ${Compared.Build}`;
}

function changeText(change: CacheChange): string[] {
  const { What, Name = '', Before, After } = change;
  switch (What) {
    case 'instruction':
      return [`the instruction was: ${shorten(Before ?? '')}`];
    case 'arg':
    case 'env':
      return [valueText(`${What.toUpperCase()} ${Name}`, change)];
    case 'files':
      return filesText('files', change);
    case 'mount':
      return listingIn(Before) === undefined
        ? [valueText(`mount ${Name}`, change)]
        : filesText(`files of mount ${Name}`, change);
    case 'base':
      return Before === undefined ? [`it stands on ${After}`] : [`the base image was ${Before}, is ${After}`];
    case 'previous':
      return [previousText(Before, After)];
    default:
      return [valueText(What, change)];
  }
}

function previousText(before: string | undefined, after: string | undefined): string {
  if (before !== undefined && after !== undefined) return `before it stood: ${shorten(before)}; now: ${shorten(after)}`;
  return after === undefined ? 'other instructions stand before it' : `before it stands now: ${shorten(after)}`;
}

function valueText(name: string, { Before, After, Hidden }: CacheChange): string {
  if (Hidden) return `${name} has another value (not shown)`;
  if (After === undefined) return `${name} was ${quote(Before)}, is not set`;
  return Before === undefined
    ? `${name} was not set, is ${quote(After)}`
    : `${name} was ${quote(Before)}, is ${quote(After)}`;
}

function filesText(name: string, { Files, FileCount = 0 }: CacheChange): string[] {
  if (!Files) return [`${name} have changed`];
  const more = FileCount - Files.length;
  return [
    ...Files.map(
      ({ Path, Change }) => `${name.replace(/^files/, 'file')} ${CHANGES[Change]}: ${Path === '' ? '.' : Path}`,
    ),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

const CHANGES = {
  added: 'added',
  removed: 'removed',
  type: 'of another type',
  content: 'changed',
  mode: 'with another mode',
  target: 'with another link target',
  attributes: 'with other attributes',
} as const;

const quote = (value: string | undefined) => JSON.stringify(shorten(value ?? ''));
const shorten = (text: string) => (text.length > LONG ? `${text.slice(0, LONG)}...` : text);
