import { posix } from 'node:path';
import { Failure } from '../../lib/error.ts';
import { type DiffId, type Digest, digestOf } from '../../oci/digest.ts';
import { promisedDigest } from './archive-paths.ts';

/** What an archive has at a path. */
export type ArchiveItem =
  | { readonly kind: 'document'; readonly bytes: Buffer }
  /** In the store now. `digest` is that of the bytes in the archive, compressed or not. */
  | { readonly kind: 'layer'; readonly diffId: DiffId; readonly digest: Digest }
  /** Path from the root of the archive. */
  | { readonly kind: 'link'; readonly target: string }
  /** Neither a document nor a layer: a loss only when an image needs it. */
  | { readonly kind: 'unusable'; readonly failure: Failure };

/** As many links as the kernel follows in one path. */
const LINK_LIMIT = 40;

/** The files of an image archive by path. */
export class ArchiveContents {
  readonly #items = new Map<string, ArchiveItem>();

  /** Throws `invalid` ARCHIVE_DUPLICATE: which of two files is meant would be decided differently by other readers. */
  add(path: string, item: ArchiveItem): void {
    if (this.#items.has(path))
      throw new Failure('invalid', 'ARCHIVE_DUPLICATE', `the archive has two files named "${path}"`);
    this.#items.set(path, item);
  }

  has(path: string): boolean {
    return this.#items.has(path);
  }

  /** The bytes of a document; verified when its name promises a digest. */
  document(path: string): Buffer {
    const { item, name } = this.#find(path);
    if (item.kind !== 'document')
      throw new Failure('invalid', 'ARCHIVE_DOCUMENT', `the archive has no readable document at "${path}"`, {
        cause: item.kind === 'unusable' ? item.failure : undefined,
      });
    checkPromise(name, digestOf(item.bytes));
    return item.bytes;
  }

  /** The diff ID of a layer; what its name promises is verified. */
  layer(path: string): DiffId {
    const { item, name } = this.#find(path);
    if (item.kind === 'unusable') throw item.failure;
    if (item.kind !== 'layer')
      throw new Failure('invalid', 'ARCHIVE_LAYER', `"${path}" in the archive is not a layer: it is no tar`);
    checkPromise(name, item.digest);
    return item.diffId;
  }

  /** What is at a path, links followed: they lead to other paths of the archive, never to files of the host. */
  #find(path: string): { item: Exclude<ArchiveItem, { kind: 'link' }>; name: string } {
    let name = archivePath(path);
    for (let links = 0; links < LINK_LIMIT; links++) {
      const item = this.#items.get(name);
      if (!item) throw new Failure('invalid', 'ARCHIVE_INCOMPLETE', `the archive has no file "${path}"`);
      if (item.kind !== 'link') return { item, name };
      name = item.target;
    }
    throw new Failure('invalid', 'ARCHIVE_LINKS', `the link "${path}" in the archive leads in a circle`);
  }
}

/** A path in an archive in its shortest form. Absolute ones, and those that leave the archive, are refused. */
export function archivePath(path: string): string {
  const clean = posix.normalize(path).replace(/\/$/, '');
  if (posix.isAbsolute(clean) || clean === '..' || clean.startsWith('../'))
    throw new Failure('invalid', 'ARCHIVE_PATH', `the path "${path}" leads out of the archive`);
  return clean;
}

function checkPromise(name: string, digest: Digest): void {
  const promised = promisedDigest(name);
  if (promised !== undefined && promised !== digest)
    throw new Failure('data-loss', 'ARCHIVE_DIGEST', `"${name}" in the archive has the digest ${digest}`, {
      hint: 'the archive is damaged: make or transfer it again',
    });
}
