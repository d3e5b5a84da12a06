/**
 * Build cache as it travels between hosts: in a folder (an OCI layout), in a registry, or inside an image. All three hold
 * one document, `CacheDocument`, as the config of a manifest whose layers are those of the records, or as a field of the image's
 * config. It is JSON; unknown fields are passed over.
 */
export interface CacheDocument {
  readonly version: 1;
  readonly records: readonly TravellingRecord[];
}

/** The result of one step, under the key by which a build asks for it. */
export interface TravellingRecord {
  /** sha256 of the key's components: `[[name, value], ...]` as JSON. */
  readonly key: string;
  /** The instruction's text. */
  readonly site: string;
  /** What the key was made of. Values of variables that look like secrets are hidden. */
  readonly components: readonly { readonly name: string; readonly value: string }[];
  /** Identity of the file system after the step, in the keys of the steps on it: the key, and what tells two runs of it apart. */
  readonly result: string;
  /** RFC 3339: when the step ran. */
  readonly created: string;
  /** Diff ID of its layer; absent when the step changed nothing. */
  readonly layer?: string;
}

/** Media type of the document as the config of a manifest. */
export const CACHE_CONFIG_TYPE = 'application/vnd.strake.cache.config.v1+json';
/** Annotation of a layer's descriptor: the digest of its uncompressed tar. */
export const DIFF_ID_ANNOTATION = 'containerd.io/uncompressed';
/** Field of an image config that holds a document. */
export const INLINE_CACHE_FIELD = 'strake.cache';
/** The document's entry in the tar of POST /strake/build-cache, and the folder of layers behind it: `layers/<hex of diff ID>`. */
export const CACHE_DOCUMENT_ENTRY = 'cache.json';
export const CACHE_LAYERS_FOLDER = 'layers/';

/** Body of POST /strake/builds/cache: blobs that the client has. */
export interface CacheExportBody {
  readonly Have: readonly string[];
}

/** Body and answer of POST /strake/build-cache/missing. */
export interface MissingLayers {
  readonly Layers: readonly string[];
}

/** Answer of POST /strake/build-cache. */
export interface CacheImported {
  readonly Records: number;
  readonly Layers: number;
}
