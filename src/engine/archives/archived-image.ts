import { Failure, messageOf } from '../../lib/error.ts';
import type { DiffId, ImageId } from '../../oci/digest.ts';
import { decodeConfig, type StoredConfig } from '../../oci/image-config.ts';
import { parseReference, type Reference } from '../../oci/reference.ts';
import { checkTarget } from '../images/tag-image.ts';
import type { ArchiveContents } from './archive-contents.ts';

/** An image that an archive has whole: its config, and all its layers in the store. */
export interface ArchivedImage {
  readonly config: StoredConfig;
  readonly names: readonly Reference[];
  /** The image that it was built from, as the archive says. */
  readonly parent: ImageId | undefined;
}

/** Reads the config at a path and checks that the layers at the paths are those of the config. */
export function readImage(contents: ArchiveContents, configPath: string, layerPaths: readonly string[]): StoredConfig {
  const stored = decodeConfig(contents.document(configPath));
  const { os, rootfs } = stored.config;
  if (os !== 'linux' && os !== '') throw new Failure('unsupported', 'ARCHIVE_OS', `cannot load a ${os} image on linux`);
  const wanted = rootfs.diff_ids;
  if (wanted.length !== layerPaths.length)
    throw new Failure(
      'invalid',
      'ARCHIVE_LAYERS',
      `invalid manifest, layers length mismatch: expected ${wanted.length}, got ${layerPaths.length}`,
    );
  for (const [position, path] of layerPaths.entries()) checkLayer(contents.layer(path), wanted[position], position);
  return stored;
}

function checkLayer(found: DiffId, wanted: DiffId | undefined, position: number): void {
  if (found !== wanted)
    throw new Failure(
      'data-loss',
      'LAYER_DIFF_ID',
      `invalid diffID for layer ${position}: expected "${wanted}", got "${found}"`,
    );
}

/** A name that an archive gives to an image: with a tag, without a digest. */
export function readName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined || reference.digest !== undefined)
    throw new Failure('invalid', 'TAG_INVALID', `invalid tag "${text}"`);
  checkTarget(reference);
  return reference;
}

/** Parses a JSON document of an archive. */
export function parseDocument(contents: ArchiveContents, path: string): unknown {
  try {
    return JSON.parse(contents.document(path).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw malformed(path, messageOf(error));
    throw error;
  }
}

/** A field of a document as an object. */
export function objectIn(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(path, 'an object is missing');
  return value as Record<string, unknown>; // any object that is no list is one
}

/** A field as a list; absent and null are empty. */
export function listIn(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(path, 'a list is missing');
  return value;
}

/** A field as a text, which may be empty. */
export function textIn(value: unknown, path: string): string {
  if (typeof value !== 'string') throw malformed(path, 'a text is missing');
  return value;
}

/** A document of an archive that is not what its place says. */
export function malformed(path: string, why: string): Failure {
  return new Failure('invalid', 'ARCHIVE_DOCUMENT', `"${path}" in the archive is malformed: ${why}`);
}
