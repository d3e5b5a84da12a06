const ROUTES = [
  /^\/images\/json$/,
  /^\/images\/.+\/(?:json|history)$/,
  /^\/strake\/images\/(?:tree|find)$/,
  /^\/strake\/images\/.+\/(?:layers|files|file|changes|diff|blame|waste)$/,
];

/**
 * Whether the page may ask a host for `path`, which has no query: only what reads images. A path that others could take
 * for another one (`..`, empty names, slashes in disguise) is none of them.
 */
export function isForwarded(path: string): boolean {
  return path.split('/').slice(1).every(isPlain) && ROUTES.some((route) => route.test(path));
}

function isPlain(segment: string): boolean {
  try {
    const name = decodeURIComponent(segment);
    return name !== '' && name !== '.' && name !== '..' && !/[/\\\0-\x1f]/.test(name);
  } catch {
    return false;
  }
}
