/**
 * What the Engine API door needs from the host, one small interface per router. Values arrive parsed; documents have
 * the newest wire shape, and the door turns them into the shape of the version that the client speaks.
 *
 * In all of them: `ref` is what a client typed (full ID, unique ID prefix or name). A thrown Failure becomes the HTTP
 * status of its kind, its message goes to the client word for word. `signal` aborts when the client has gone or the
 * host closes; what was begun is then undone or left whole.
 */
import type { Readable, Writable } from 'node:stream';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { AuthAnswer, DistributionInspect, RegistryAuth, SearchRow } from '../wire/auth.ts';
import type { BuildEvent, BuildOptions, ContextOffer } from '../wire/build.ts';
import type { BuildExplanation, BuildSummary, DebugAnswer, DebugRequest } from '../wire/build-explain.ts';
import type { NamedContext } from '../wire/build-input.ts';
import type { CacheMountRow } from '../wire/cache-mount.ts';
import type { CacheImported } from '../wire/cache-transfer.ts';
import type {
  ContainerConfig,
  ContainerCreateBody,
  ContainerInspect,
  ContainerSummary,
  HostConfig,
} from '../wire/container.ts';
import type { ChangeRow, ContainerStats, PathStat, ProcessTable } from '../wire/container-details.ts';
import type { DiskUsage, DiskUsagePart } from '../wire/disk-usage.ts';
import type { ExecCreateBody, ExecInspect } from '../wire/exec.ts';
import type { FileOffer } from '../wire/file-offer.ts';
import type { Filters } from '../wire/filters.ts';
import type { DeletedRow, HistoryRow, ImageInspect, ImageSummary, ImagesPruned } from '../wire/image.ts';
import type { ImageTree, RewrittenImage } from '../wire/insight.ts';
import type { NetworkConnectBody, NetworkCreateBody, NetworkInspect, NetworksPruned } from '../wire/network.ts';
import type { ProgressLine } from '../wire/progress.ts';
import type { StoreCheckSummary, StoreProblemRow } from '../wire/store-check.ts';
import type { EventMessage, SystemInfo, VersionInfo } from '../wire/system.ts';
import type { VolumeCreateBody, VolumeInspect } from '../wire/volume.ts';

/** The parts of a host. A part that is absent is a capability that this host does not have: its routes answer 501. */
export interface Backends {
  readonly system: SystemBackend;
  readonly diskUsage?: DiskUsageBackend;
  readonly storeCheck?: StoreCheckBackend;
  readonly images?: ImageBackend;
  readonly insight?: InsightBackend;
  readonly registry?: RegistryBackend;
  readonly archives?: ImageArchiveBackend;
  readonly cacheTransfer?: CacheTransferBackend;
  readonly build?: BuildBackend;
  readonly buildHistory?: BuildHistoryBackend;
  readonly cacheMounts?: CacheMountBackend;
  readonly containers?: ContainerBackend;
  readonly commit?: CommitBackend;
  readonly pause?: PauseBackend;
  readonly logs?: LogBackend;
  readonly monitor?: MonitorBackend;
  readonly exports?: ExportBackend;
  readonly files?: FileBackend;
  readonly exec?: ExecBackend;
  readonly networks?: NetworkBackend;
  readonly volumes?: VolumeBackend;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * Says one thing to the client. The promise resolves when there is room for more, and never rejects (a client that
 * has gone is told by `signal`). Who makes output without bound awaits it; who says a few things need not.
 */
export type Emit<T> = (value: T) => Promise<void>;

export interface SystemBackend {
  version(): Promise<HostVersion>;
  info(): Promise<SystemInfo>;
  /** Past events from `since`, then new ones until `until` or abort. Times in milliseconds since the epoch. */
  events(options: CallOptions & EventQuery): AsyncIterable<EventMessage>;
}

/** GET /version without what the door itself decides. */
export type HostVersion = Omit<VersionInfo, 'ApiVersion' | 'MinAPIVersion' | 'Components'>;

export interface EventQuery {
  readonly filters: Filters;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

export interface DiskUsageBackend {
  diskUsage(options: CallOptions & { readonly parts: ReadonlySet<DiskUsagePart> }): Promise<DiskUsage>;
}

export interface StoreCheckBackend {
  /** Looks at everything stored and says each problem when it is found. */
  check(
    options: CallOptions & { readonly repair: boolean; readonly emit: Emit<StoreProblemRow> },
  ): Promise<StoreCheckSummary>;
}

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

export interface RegistryBackend {
  pull(options: TransferRequest): Promise<void>;
  push(options: TransferRequest): Promise<void>;
  auth(credentials: RegistryAuth, options: CallOptions): Promise<AuthAnswer>;
  search(options: CallOptions & SearchQuery): Promise<SearchRow[]>;
  distribution(
    reference: Reference,
    options: CallOptions & { readonly auth: RegistryAuth | undefined },
  ): Promise<DistributionInspect>;
}

export interface TransferRequest extends CallOptions {
  /** Without tag and digest: all tags of the repository. */
  readonly reference: Reference;
  readonly platform: Platform | undefined;
  readonly auth: RegistryAuth | undefined;
  readonly emit: Emit<ProgressLine>;
}

export interface SearchQuery {
  readonly term: string;
  readonly limit: number;
  readonly filters: Filters;
  readonly auth: RegistryAuth | undefined;
}

export interface ImageArchiveBackend {
  /** Resolves when every name is found; the stream is then a tar. */
  save(names: readonly string[], options: CallOptions): Promise<Readable>;
  /** Writes the archive into an empty file; FILE_NOT_VISIBLE when it is not the client's. */
  saveTo(offer: FileOffer, names: readonly string[], options: CallOptions): Promise<void>;
  /** The result of a build: an archive of one image under these names, or `tree`, a tar of its files. */
  output(ref: string, options: CallOptions & ImageOutputQuery): Promise<Readable>;
  load(options: CallOptions & LoadRequest): Promise<void>;
}

export interface ImageOutputQuery {
  readonly form: 'tree' | 'docker' | 'oci';
  readonly names: readonly Reference[];
}

/** The build cache on its way to other hosts and from them; wire/cache-transfer.ts has the formats. */
export interface CacheTransferBackend {
  /** The cache of a build as a tar of an OCI layout, without the blobs that the client has. */
  export(
    build: string,
    options: CallOptions & { readonly mode: 'min' | 'max'; readonly have: readonly string[] },
  ): Promise<Readable>;
  /** Gives the cache of a build to a registry, under a name of its own; returns the digest of its manifest. */
  push(
    build: string,
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

export interface LoadRequest {
  readonly source: ArchiveSource;
  readonly quiet: boolean;
  readonly emit: Emit<ProgressLine>;
}

export interface BuildBackend {
  /**
   * Builds and says what happens through `emit`. What is thrown before the first event is answered with the HTTP
   * status of its kind, later with an error line. A Failure with code CONTEXT_NOT_VISIBLE is answered with 412.
   */
  build(request: BuildRequest): Promise<{ image: string }>;
  /** Says what rules find in the Dockerfile, and builds nothing. */
  check(request: BuildRequest): Promise<void>;
  pruneCache(
    options: CallOptions & CachePruneQuery,
  ): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>;
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
  readonly options: BuildOptions;
  readonly context: BuildContextSource;
  /** `--build-context`, by name. */
  readonly named: ReadonlyMap<string, NamedContext>;
  /** A tar whose folders are contexts of kind `packed`. */
  readonly packed: Readable | undefined;
  /** For RUN steps only, in memory only, and never told. Agents with the user ID of the client that names them. */
  readonly lent: {
    readonly secrets: ReadonlyMap<string, Buffer>;
    readonly agents: ReadonlyMap<string, { readonly path: string; readonly user: number }>;
  };
  /** By registry host. */
  readonly registryAuth: Readonly<Record<string, RegistryAuth>>;
  readonly emit: Emit<BuildEvent>;
}

export type BuildContextSource =
  /** A tar in any compression. */
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'packed'; readonly folder: string }
  /** A folder of this machine; `dockerfile` when the Dockerfile lies outside it. */
  | { readonly kind: 'offer'; readonly offer: ContextOffer; readonly dockerfile: Readable | undefined }
  | { readonly kind: 'remote'; readonly url: string };

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

export interface ContainerBackend {
  create(options: CallOptions & CreateRequest): Promise<{ Id: string; Warnings: string[] }>;
  /** False when it was running already. */
  start(ref: string, options: CallOptions): Promise<boolean>;
  /** False when it was stopped already. */
  stop(ref: string, options: CallOptions & StopQuery): Promise<boolean>;
  restart(ref: string, options: CallOptions & StopQuery): Promise<void>;
  kill(ref: string, options: CallOptions & { readonly signalName: string | undefined }): Promise<void>;
  rename(ref: string, name: string, options: CallOptions): Promise<void>;
  /** Changes limits and the restart policy; unset values stay. Returns warnings. */
  update(ref: string, changes: HostConfig, options: CallOptions): Promise<string[]>;
  /** Resolves when the container is found and watched from now on; `exit` when the condition is met. */
  wait(
    ref: string,
    options: CallOptions & { readonly condition: WaitCondition },
  ): Promise<{ exit: Promise<WaitResult> }>;
  /** Resolves when the streams are connected: what the container writes afterwards is seen. */
  attach(ref: string, options: CallOptions & AttachQuery): Promise<AttachedStreams>;
  resize(ref: string, size: TerminalSize, options: CallOptions): Promise<void>;
  remove(ref: string, options: CallOptions & RemoveQuery): Promise<void>;
  /** Newest first. */
  list(options: CallOptions & ContainerListQuery): Promise<ContainerSummary[]>;
  inspect(ref: string, options: CallOptions & { readonly size: boolean }): Promise<ContainerInspect>;
  prune(
    options: CallOptions & { readonly filters: Filters },
  ): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>;
}

export interface CreateRequest {
  /** Without a leading slash; undefined lets the host choose one. */
  readonly name: string | undefined;
  readonly platform: Platform | undefined;
  readonly body: ContainerCreateBody;
}

export interface StopQuery {
  /** Until SIGKILL; undefined is the container's own, -1 never. */
  readonly seconds: number | undefined;
  readonly signalName: string | undefined;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  readonly exitCode: number;
  /** Why the exit code could not be learned. */
  readonly error: string | undefined;
}

export interface AttachQuery {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay what was logged before. */
  readonly logs: boolean;
  /** Go on with what comes. */
  readonly stream: boolean;
}

/**
 * Streams of a process in wire form: `output` is plain bytes with a terminal and 8-byte framed without
 * (https://docs.docker.com/reference/api/engine/, "Attach to a container"). The door ends `input` when the client
 * closes its side, and destroys both when the client detaches or has gone.
 */
export interface AttachedStreams {
  readonly tty: boolean;
  readonly output: Readable;
  readonly input: Writable | undefined;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface RemoveQuery {
  readonly volumes: boolean;
  readonly force: boolean;
}

export interface ContainerListQuery {
  readonly all: boolean;
  /** Newest so many, of all states; 0 is no limit. */
  readonly limit: number;
  readonly size: boolean;
  readonly filters: Filters;
}

export interface CommitBackend {
  commit(ref: string, options: CallOptions & CommitRequest): Promise<{ image: string }>;
}

export interface CommitRequest {
  readonly target: Reference | undefined;
  readonly comment: string;
  readonly author: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  readonly pause: boolean;
  /** Replaces the container's own config field by field. */
  readonly config: ContainerConfig | undefined;
}

export interface PauseBackend {
  pause(ref: string, options: CallOptions): Promise<void>;
  unpause(ref: string, options: CallOptions): Promise<void>;
}

export interface LogBackend {
  logs(ref: string, options: CallOptions & LogQuery): Promise<{ tty: boolean; output: Readable }>;
}

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** Last so many lines; undefined is all. */
  readonly tail: number | undefined;
  /** Begin each line with what the log's options say about the container. */
  readonly details: boolean;
}

export interface MonitorBackend {
  top(ref: string, options: CallOptions & { readonly psArgs: string }): Promise<ProcessTable>;
  /** One object when `stream` is false; `oneShot` then leaves the preceding sample out. */
  stats(
    ref: string,
    options: CallOptions & { readonly stream: boolean; readonly oneShot: boolean },
  ): Promise<AsyncIterable<ContainerStats>>;
}

export interface ExportBackend {
  /** The whole file system of a container, running or not, as a tar. */
  export(ref: string, options: CallOptions): Promise<Readable>;
}

/** Files of a container, running or not. */
export interface FileBackend {
  changes(ref: string, options: CallOptions): Promise<ChangeRow[]>;
  stat(ref: string, path: string, options: CallOptions): Promise<PathStat>;
  readArchive(ref: string, path: string, options: CallOptions): Promise<{ stat: PathStat; body: Readable }>;
  writeArchive(ref: string, options: CallOptions & WriteArchiveRequest): Promise<void>;
}

export interface WriteArchiveRequest {
  readonly path: string;
  readonly body: Readable;
  /** Refuse to put a directory over a file, or a file over a directory. */
  readonly noOverwriteDirNonDir: boolean;
  readonly copyOwner: boolean;
}

export interface ExecBackend {
  create(ref: string, body: ExecCreateBody, options: CallOptions): Promise<{ Id: string }>;
  /** Starts it with its streams. A program that cannot be started is told on the stream and by the exit code. */
  attach(id: string, options: CallOptions & ExecStartQuery): Promise<AttachedStreams>;
  /** Starts it without streams. */
  start(id: string, options: CallOptions & ExecStartQuery): Promise<void>;
  inspect(id: string, options: CallOptions): Promise<ExecInspect>;
  resize(id: string, size: TerminalSize, options: CallOptions): Promise<void>;
}

export interface ExecStartQuery {
  readonly tty: boolean;
  readonly size: TerminalSize | undefined;
}

export interface NetworkBackend {
  list(options: CallOptions & { readonly filters: Filters }): Promise<NetworkInspect[]>;
  inspect(ref: string, options: CallOptions): Promise<NetworkInspect>;
  create(body: NetworkCreateBody, options: CallOptions): Promise<{ Id: string; Warning: string }>;
  connect(ref: string, body: NetworkConnectBody, options: CallOptions): Promise<void>;
  disconnect(ref: string, container: string, options: CallOptions & { readonly force: boolean }): Promise<void>;
  remove(ref: string, options: CallOptions): Promise<void>;
  prune(options: CallOptions & { readonly filters: Filters }): Promise<NetworksPruned>;
}

export interface VolumeBackend {
  list(
    options: CallOptions & { readonly filters: Filters },
  ): Promise<{ Volumes: VolumeInspect[]; Warnings: string[] | null }>;
  inspect(name: string, options: CallOptions): Promise<VolumeInspect>;
  create(body: VolumeCreateBody, options: CallOptions): Promise<VolumeInspect>;
  remove(name: string, options: CallOptions & { readonly force: boolean }): Promise<void>;
  /** Anonymous ones only, unless `all`. */
  prune(
    options: CallOptions & { readonly filters: Filters; readonly all: boolean },
  ): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>;
}
