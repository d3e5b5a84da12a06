/** Paths in the order of a walk: what is in a folder comes after it, and before what follows the folder. */
export function comparePaths(a: string, b: string): number {
  return compareNames(a.replaceAll('/', '\0'), b.replaceAll('/', '\0'));
}

/** Byte by byte, as clients walk. UTF-16 gives the same order but for surrogates. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (/[\ud800-\udfff]/.test(a + b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
