import { Refusal } from '../codes.ts';

/** What the path of a request names. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints */
export type Place =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' | 'search' | 'ping' }
  | { readonly kind: 'manifest' | 'blob' | 'referrers' | 'upload'; readonly name: string; readonly reference: string }
  | { readonly kind: 'uploads' | 'tags' | 'repository'; readonly name: string };

const UPLOADS = '/blobs/uploads/';

/** Reads a path without its query; undefined when it names nothing. Names and references are not judged yet. */
export function placeOf(path: string): Place | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (path === '/v1/search') return { kind: 'search' };
  if (path === '/v1/_ping') return { kind: 'ping' };
  if (!path.startsWith('/v2/')) return undefined;
  // The last word with a meaning counts: repositories may be called "blobs" too.
  const text = path.includes('%') ? decoded(path) : path;
  if (text.endsWith('/tags/list')) return named('tags', text.slice(4, -'/tags/list'.length));
  const slash = text.lastIndexOf('/');
  const uploads = text.lastIndexOf(UPLOADS);
  if (text.endsWith('/blobs/uploads')) return named('uploads', text.slice(4, -'/blobs/uploads'.length));
  if (uploads >= 4 && uploads + UPLOADS.length === slash + 1) {
    const name = text.slice(4, uploads);
    const reference = text.slice(slash + 1);
    return reference === '' ? named('uploads', name) : { kind: 'upload', name, reference };
  }
  const before = text.lastIndexOf('/', slash - 1);
  if (before < 3) return undefined;
  const kind = KINDS[text.slice(before + 1, slash)];
  // The repository itself: of no specification, as other registries have it too.
  if (!kind && slash === text.length - 1) return named('repository', text.slice(4, slash));
  return kind && { kind, name: text.slice(4, before), reference: text.slice(slash + 1) };
}

const KINDS: Readonly<Record<string, 'manifest' | 'blob' | 'referrers'>> = {
  manifests: 'manifest',
  blobs: 'blob',
  referrers: 'referrers',
};

function named(kind: 'uploads' | 'tags' | 'repository', name: string): Place {
  return { kind, name };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Refusal('NAME_INVALID', { message: 'the path is not well encoded' });
  }
}
