/**
 * Whiteouts in a layer's tar are empty files with special names; in an overlayfs layer they are char devices 0:0 and an
 * attribute. https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
 */
export const WHITEOUT_PREFIX = '.wh.';
/** Prefix of the marks of the older aufs, opaque mark included. */
const META_PREFIX = '.wh..wh.';
const OPAQUE_NAME = '.wh..wh..opq';

/** The attribute that hides a directory's lower content from overlayfs, and its value. */
export const OPAQUE_XATTR = 'trusted.overlay.opaque';
export const OPAQUE_VALUE = 'y';

export type NameMeaning =
  | { readonly kind: 'ordinary' }
  | { readonly kind: 'whiteout'; readonly name: string }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'meta' } // of aufs, to be skipped
  | { readonly kind: 'unusable' };

/** What the last component of a path means in a layer. */
export function meaningOf(name: string): NameMeaning {
  if (!name.startsWith(WHITEOUT_PREFIX)) return ORDINARY;
  if (name === OPAQUE_NAME) return { kind: 'opaque' };
  if (name.startsWith(META_PREFIX)) return { kind: 'meta' };
  const hidden = name.slice(WHITEOUT_PREFIX.length);
  return hidden === '' || hidden === '.' || hidden === '..' ? { kind: 'unusable' } : { kind: 'whiteout', name: hidden };
}

/** Path of the tar entry that deletes `path`. */
export function whiteoutPath(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${WHITEOUT_PREFIX}${path.slice(slash)}`;
}

/** Path of the tar entry that makes `directory` opaque. */
export function opaquePath(directory: string): string {
  return directory === '' ? OPAQUE_NAME : `${directory}/${OPAQUE_NAME}`;
}

/** Attributes that overlayfs keeps for itself; from a tar they are dropped, into a tar they never go. */
export function isOverlayXattr(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
}

const ORDINARY: NameMeaning = { kind: 'ordinary' };
