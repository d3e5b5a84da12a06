import type { Duplex, Readable } from 'node:stream';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageForm } from '../../oci/image-form.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistryAuth } from '../../wire/auth.ts';
import type { BuildEvent, BuildOptions, BuildTarget, ContextOffer } from '../../wire/build.ts';
import type { BuildExplanation, BuildSummary, DebugAnswer, DebugRequest } from '../../wire/build-explain.ts';
import type { NamedContext } from '../../wire/build-input.ts';
import type { CacheMountRow } from '../../wire/cache-mount.ts';
import type { CacheImported } from '../../wire/cache-transfer.ts';
import type { Filters } from '../../wire/filters.ts';
import type { CallOptions, Emit } from './call.ts';

/** The build cache on its way to other hosts and from them; wire/cache-transfer.ts has the formats. */
export interface CacheTransferBackend {
  /** The cache of a build as a tar of an OCI layout, without the blobs that the client has. */
  export(
    build: string,
    options: CallOptions & { readonly mode: 'min' | 'max'; readonly have: readonly string[] },
  ): Promise<Readable>;
  /** Gives the cache of builds to a registry, under a name of its own; returns the digest of its manifest. */
  push(
    builds: readonly string[],
    options: CallOptions & {
      readonly mode: 'min' | 'max';
      readonly reference: Reference;
      readonly auth: RegistryAuth | undefined;
    },
  ): Promise<string>;
  /** Those of these layers that the host has not got. */
  missing(diffIds: readonly string[]): Promise<string[]>;
  import(body: Readable, options: CallOptions): Promise<CacheImported>;
}

/** The build cache on its way to clients that have a place for blobs of their own, and from them. */
export interface ClientCacheBackend {
  /** The cache of builds. */
  blobs(builds: readonly string[], options: { readonly mode: 'min' | 'max' }): CacheBlobs;
  /** Takes over the cache whose manifest has this digest; `invalid` CACHE_INVALID for one that is not sound. */
  takeFrom(content: ClientContent, manifest: Digest, options: CallOptions): Promise<void>;
}

/** A build cache as an OCI manifest, its config and its layers. The layers are kept from collection until it is disposed. */
export interface CacheBlobs extends Disposable {
  readonly layers: readonly CacheBlob[];
  readonly config: CacheBlob;
  readonly manifest: CacheBlob;
}

export interface CacheBlob extends Descriptor {
  open(options: CallOptions): AsyncIterable<Uint8Array>;
}

/** Blobs that a client has, by digest. Nothing that comes from there was checked. */
export interface ClientContent {
  /** Bytes of a blob; undefined when the client has none of that digest. */
  size(digest: Digest, options: CallOptions): Promise<number | undefined>;
  read(blob: Pick<Descriptor, 'digest' | 'size'>, options: CallOptions): AsyncIterable<Buffer>;
}

export interface BuildBackend {
  /**
   * Builds and says what happens through `emit`. What is thrown before the first event is answered with the HTTP
   * status of its kind, later with an error line. A Failure with code CONTEXT_NOT_VISIBLE is answered with 412.
   */
  build(request: BuildRequest): Promise<{ image: string }>;
  /** Says what rules find in the Dockerfile, gives its stages and what its target takes, and builds nothing. */
  check(request: BuildRequest): Promise<CheckedBuild>;
  /**
   * Makes the result of a build an image of people, not of the build cache, with these further names. Several are for as many
   * platforms: the one that this machine runs, else the first, gets the names, and the others stand behind them. With
   * `form` it is pushed so under these names.
   */
  keep(images: readonly ResultImage[], names: readonly Reference[], form?: ImageForm): Promise<void>;
  pruneCache(
    options: CallOptions & CachePruneQuery,
  ): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>;
}

/** A Dockerfile that was read for a build. */
export interface CheckedBuild {
  readonly targets: readonly BuildTarget[];
  /** What can be given to a build of the target, in the order of the file. */
  readonly outline: BuildOutline;
}

export interface BuildOutline {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly args: readonly (OutlinePlace & {
    readonly name: string;
    readonly description: string | undefined;
    readonly value: string | undefined;
  })[];
  readonly secrets: readonly (OutlinePlace & LentInput)[];
  readonly agents: readonly (OutlinePlace & LentInput)[];
}

/** Lines count from 1. */
export interface OutlinePlace {
  readonly line: number;
  readonly endLine: number;
}

/** What a build took from outside. */
export interface BuildInputs {
  /** In the order of their names. Without a registry's digest it is that of the config. */
  readonly images: readonly { readonly name: string; readonly platform: string; readonly digest: Digest }[];
  /** Repositories of git that were contexts, with their commits. */
  readonly commits: readonly { readonly url: string; readonly commit: string }[];
  readonly secrets: readonly LentInput[];
  readonly agents: readonly LentInput[];
  /** Whether a RUN could reach anybody. */
  readonly hasNetwork: boolean;
  /** Whether nothing came in besides these images and commits. */
  readonly isComplete: boolean;
}

export interface LentInput {
  readonly id: string;
  readonly isRequired: boolean;
}

/** An image, and what it was built for where that is not what its config says: `linux/arm64`. */
export interface ResultImage {
  readonly image: string;
  readonly platform?: string;
}

/** What past builds did. `ref` is the ID of a build or a beginning of it, or an image; empty is the last build. */
export interface BuildHistoryBackend {
  /** Newest first. */
  list(): Promise<BuildSummary[]>;
  explain(ref: string, options: CallOptions): Promise<BuildExplanation>;
  /** Makes a container that stands where a step stood, to be attached to and started. */
  debug(ref: string, request: DebugRequest, options: CallOptions): Promise<DebugAnswer>;
}

/** Cache mounts of RUN steps. `ref` is what a Dockerfile calls one, or its ID or a beginning of that. */
export interface CacheMountBackend {
  /** Last used first. */
  list(options: CallOptions): Promise<CacheMountRow[]>;
  inspect(ref: string, options: CallOptions): Promise<CacheMountRow>;
  /** `conflict` while a build uses it. */
  remove(ref: string): Promise<void>;
  export(ref: string, options: CallOptions): Promise<Readable>;
  /** Replaces what is in it; makes it when there is none of that name. */
  import(ref: string, body: Readable, options: CallOptions): Promise<CacheMountRow>;
}

export interface BuildRequest extends CallOptions {
  /** The name under which the build is remembered: 12 hex digits. */
  readonly id: string;
  /** It is part of another build, and not remembered as one. */
  readonly isPart?: boolean;
  readonly options: BuildOptions;
  readonly context: BuildContextSource;
  /** The folder with the Dockerfile, when it is not the context. */
  readonly dockerfileFolder?: ClientFolder | undefined;
  /** `--build-context`, by name. */
  readonly named: ReadonlyMap<string, NamedContext | ClientContext>;
  /** A tar whose folders are contexts of kind `packed`. */
  readonly packed: Readable | undefined;
  readonly lent: LentToBuild;
  readonly registryAuth: AskRegistryAuth;
  readonly emit: Emit<BuildEvent>;
  /** Is given the Dockerfile before it is parsed. */
  readonly sawDockerfile?: (content: Uint8Array) => void;
  /** Is told at the end what the build took from outside. */
  readonly sawInputs?: (inputs: BuildInputs) => void;
}

/** A context that the client gives out piece by piece. */
export type ClientContext =
  | { readonly kind: 'client'; readonly folder: ClientFolder }
  /** An image; `manifest` is the digest of its manifest or index. */
  | { readonly kind: 'layout'; readonly content: ClientContent; readonly manifest: Digest };

/** What RUN steps may ask of the client, by ID. It stays in memory and is never told. */
export interface LentToBuild {
  /** Undefined when the client has none of that ID. */
  secret(id: string, options: CallOptions): Promise<Buffer | undefined>;
  agent(id: string, options: CallOptions): Promise<LentAgent | undefined>;
}

/** An SSH agent of the client. */
export type LentAgent =
  /** A socket of the host's machine, with the user ID of the client that names it. */
  | { readonly kind: 'socket'; readonly path: string; readonly user: number }
  /** Each call opens a way to the agent; what goes wrong later breaks that stream. */
  | { readonly kind: 'stream'; connect(): Duplex };

/** What the client has for a registry host (`docker.io`, `host:5000`); undefined is anonymous. */
export type AskRegistryAuth = (host: string, options: CallOptions) => Promise<RegistryAuth | undefined>;

export type BuildContextSource =
  /** A tar in any compression. */
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'packed'; readonly folder: string }
  /** A folder of this machine; `dockerfile` when the Dockerfile lies outside it. */
  | { readonly kind: 'offer'; readonly offer: ContextOffer; readonly dockerfile: Readable | undefined }
  | { readonly kind: 'client'; readonly folder: ClientFolder }
  | { readonly kind: 'remote'; readonly url: string };

/** A folder of the client, of which a build asks for what it needs. */
export interface ClientFolder {
  readonly files: ClientFiles;
  readonly name: string;
  /** What the client calls the same folder in all its builds; '' when it does not say. */
  readonly sharedKey: string;
}

/** The client's side of folders. */
export interface ClientFiles {
  /**
   * Lists a folder into `sink` and brings the contents that it wants. Resolves when all has arrived; throws what the client
   * or the sink has against it.
   */
  sync(request: SyncRequest, sink: FileSink, options: CallOptions): Promise<void>;
}

export interface SyncRequest {
  readonly name: string;
  /** Patterns of .dockerignore. */
  readonly exclude: readonly string[];
  /** Paths and wildcards, with what links on the way lead to; undefined for all. */
  readonly followPaths: readonly string[] | undefined;
}

/** What takes a folder of a client. Whatever comes was written by the client: nothing of it was checked. */
export interface FileSink {
  /** Whether the entry in these bytes, the next of the list, is to be left as it is. If not, it comes by `add`. */
  passes(raw: Uint8Array): boolean;
  /** The next entry, in the order of a walk; where to put its content when it is wanted. */
  add(entry: ClientEntry, raw: Uint8Array): ContentSink | undefined;
  /** There are no more entries. */
  listed(): void;
}

export interface ContentSink {
  write(chunk: Uint8Array): void;
  end(): void;
}

export interface ClientEntry {
  /** Relative, with `/`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'device' | 'socket' | 'other';
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly modified: bigint;
  /** Of a symlink where it leads; of a file the path of an earlier one that is the same file, or ''. */
  readonly link: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface CachePruneQuery {
  readonly all: boolean;
  readonly filters: Filters;
  /** Bytes to keep at least; 0 is not stated, as for the others. */
  readonly reservedSpace: number;
  /** Bytes to keep at most. */
  readonly maxUsedSpace: number;
  /** Bytes that are to be free on the disk afterwards. */
  readonly minFreeSpace: number;
}
