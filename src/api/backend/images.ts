import type { Readable } from 'node:stream';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ImageForm } from '../../oci/image-form.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { Filters } from '../../wire/filters.ts';
import type { DeletedRow, HistoryRow, ImageInspect, ImageSummary, ImagesPruned } from '../../wire/image.ts';
import type { ImageTree, LayerRow, RewrittenImage } from '../../wire/insight.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { ResultImage } from './build.ts';
import type { CallOptions, Emit } from './call.ts';

export interface ImageBackend {
  /** Newest first. Images without a name have empty RepoTags and RepoDigests. */
  list(options: CallOptions & ImageListQuery): Promise<ImageSummary[]>;
  inspect(ref: string, options: CallOptions): Promise<ImageInspect>;
  history(ref: string, options: CallOptions): Promise<HistoryRow[]>;
  tag(ref: string, target: Reference, options: CallOptions): Promise<void>;
  remove(
    ref: string,
    options: CallOptions & { readonly force: boolean; readonly prune: boolean },
  ): Promise<DeletedRow[]>;
  prune(options: CallOptions & { readonly filters: Filters }): Promise<ImagesPruned>;
  /** Makes an image of one layer from a tar in any compression. The door says the final status line. */
  importTar(options: ImportRequest): Promise<{ image: string }>;
}

export interface ImageListQuery {
  /** With intermediate images. */
  readonly all: boolean;
  readonly filters: Filters;
  readonly sharedSize: boolean;
  /** With the manifests under which registries have the images. */
  readonly manifests: boolean;
}

export interface ImportRequest extends CallOptions {
  readonly source: ArchiveSource | { readonly kind: 'url'; readonly url: string };
  readonly target: Reference | undefined;
  readonly message: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  readonly platform: Platform | undefined;
  readonly emit: Emit<ProgressLine>;
}

/** An archive that a client sends. A file is read where it is; FILE_NOT_VISIBLE when it is not the client's. */
export type ArchiveSource =
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'file'; readonly offer: FileOffer };

/**
 * Questions about what is in images, answered with the rows of wire/insight.ts, one JSON object a line; `read` with the
 * bytes of a file. Paths lead nowhere outside of the image.
 */
export interface InsightBackend {
  /** The entries of a folder, or the one entry that is no folder. */
  files(ref: string, path: string, options: CallOptions): Promise<Readable>;
  read(ref: string, path: string, options: CallOptions): Promise<Readable>;
  /** In all images when `refs` is empty. */
  find(refs: readonly string[], pattern: string, options: CallOptions): Promise<Readable>;
  diff(ref: string, other: string, options: CallOptions): Promise<Readable>;
  blame(ref: string, path: string, options: CallOptions): Promise<Readable>;
  /** Bottom first. */
  layers(ref: string): Promise<LayerRow[]>;
  /** What the layer of a step did to the entries of a folder. */
  changes(ref: string, step: number, path: string, options: CallOptions): Promise<Readable>;
  waste(ref: string, options: CallOptions): Promise<Readable>;
  tree(): Promise<ImageTree>;
  flatten(ref: string, options: CallOptions & RewriteRequest): Promise<RewrittenImage>;
  squash(ref: string, options: CallOptions & RewriteRequest & { readonly from: number }): Promise<RewrittenImage>;
  /** Without `base` the host finds out what the image was made from. */
  rebase(
    ref: string,
    options: CallOptions & RewriteRequest & { readonly onto: string; readonly base: string | undefined },
  ): Promise<RewrittenImage>;
}

export interface RewriteRequest {
  /** Name of the new image, if it gets one. */
  readonly target: Reference | undefined;
}

export interface ImageArchiveBackend {
  /** Resolves when every name is found; the stream is then a tar. */
  save(names: readonly string[], options: CallOptions): Promise<Readable>;
  /** Writes the archive into an empty file; FILE_NOT_VISIBLE when it is not the client's. */
  saveTo(offer: FileOffer, names: readonly string[], options: CallOptions): Promise<void>;
  /**
   * The result of a build as an archive of one image under these names, or, in an OCI layout, of one for several platforms.
   * What its form needs is made before this resolves.
   */
  output(images: readonly ResultImage[], options: CallOptions & ImageOutputQuery): Promise<ImageOutput>;
  /** A tar of the files of the result; those for several platforms are in folders named `os_architecture`. */
  tree(images: readonly ResultImage[], options: CallOptions): Promise<Readable>;
  load(options: CallOptions & LoadRequest): Promise<void>;
}

export interface ImageOutputQuery {
  readonly type: 'docker' | 'oci';
  readonly names: readonly Reference[];
  readonly form?: ImageForm | undefined;
}

/** An archive that is still to be written. What it needs is kept until it is disposed. */
export interface ImageOutput extends Disposable {
  /** What an OCI layout names: the manifest of the image, or an index. */
  readonly descriptor: Descriptor;
  /** The tar; may be asked for once. */
  open(options: CallOptions): Readable;
}

export interface LoadRequest {
  readonly source: ArchiveSource;
  readonly quiet: boolean;
  readonly emit: Emit<ProgressLine>;
}
