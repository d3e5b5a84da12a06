import { fromAddress, toAddress } from './text.ts';

/** What the address names behind its `#`: `/image/app:1/files?path=/etc`. */
export interface Address {
  readonly words: readonly string[];
  readonly query: ReadonlyMap<string, string>;
}

export function parseAddress(fragment: string): Address {
  const [path = '', query = ''] = fragment.replace(/^#/, '').split('?', 2);
  const pairs = query.split('&').map((pair) => pair.split('=', 2));
  return {
    words: path
      .split('/')
      .filter((word) => word !== '')
      .map(fromAddress),
    query: new Map(pairs.map(([name = '', value = '']) => [name, fromAddress(value)])),
  };
}

/** The link to a place; values that are undefined are left out. */
export function linkTo(
  words: readonly string[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${toAddress(String(value))}`],
  );
  return `#/${words.map(toAddress).join('/')}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
}

export function goTo(
  words: readonly string[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): void {
  location.hash = linkTo(words, query);
}
