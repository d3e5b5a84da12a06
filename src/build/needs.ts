/** What the solver needs from the rest of the host. The engine meets these. */

import type { Duplex } from 'node:stream';
import type { DiffId, ImageId } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';
import type { LayerId } from '../store/layers.ts';
import type { BuildResources } from '../wire/build.ts';
import type { CacheKey } from './cache-key.ts';
import type { ContextFiles } from './context/build-context.ts';

/** A sealed layer: its content is known by digest. */
export interface SealedLayer {
  readonly id: LayerId;
  readonly diffId: DiffId;
  /** Bytes of its files. */
  readonly size: number;
}

/**
 * A layer that a step has made. `id` can be stacked upon at once; `sealed` follows when its digest is known, and may
 * name another, equal layer that the store had already.
 */
export interface MadeLayer {
  readonly id: LayerId;
  readonly sealed: Promise<SealedLayer>;
}

/** What FROM or `--from` named, with all its layers in the store. */
export interface BaseImage {
  readonly id: ImageId;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly SealedLayer[];
}

/** Where base images come from. */
export interface ImageSource {
  /** The image of that name or ID: from the store, else (or with `pull` first of all) from its registry. */
  resolve(
    name: string,
    options: {
      readonly pull: boolean;
      readonly platform: Platform;
      readonly signal: AbortSignal;
      readonly report: (text: string) => void;
    },
  ): Promise<BaseImage>;
}

/** The images of single steps, which are Docker's history of a build. */
export interface StepImages {
  /** The image that the same step made on the same parent before. */
  childByStep(
    parent: ImageId | undefined,
    stepKey: string,
  ): { readonly id: ImageId; readonly config: ImageConfig } | undefined;
  put(image: { readonly config: ImageConfig; readonly parent: ImageId | undefined; readonly stepKey: string }): ImageId;
}

/** What the cache knows of a step that ran. */
export interface CachedStep {
  /** Undefined when the step changed nothing. */
  readonly layer: SealedLayer | undefined;
  /** Identity of the result in the keys of later steps. */
  readonly result: string;
  /** RFC 3339: when the step really ran. */
  readonly created: string;
}

/** What is known of steps by their key, over the end of the host. */
export interface StepCache {
  /** A usable record: its layer is in the store. */
  get(key: string): CachedStep | undefined;
  put(key: CacheKey, step: CachedStep): void;
}

/** Something that a RUN step finds mounted. */
export type RunMount =
  /** A file or folder of this machine. */
  | { readonly kind: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  /** Size in bytes; undefined for no limit of its own. */
  | { readonly kind: 'tmpfs'; readonly target: string; readonly size: number | undefined; readonly readOnly: boolean };

/** What a name of `--build-context` stands for. */
export type OpenedNamedContext =
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'folder'; readonly context: ContextFiles };

/** The contexts beside the build's own. They stand before stages and images of their names. */
export interface NamedContexts {
  readonly names: readonly string[];
  /** `platform`: which of an image's. */
  open(name: string, platform: Platform): Promise<OpenedNamedContext>;
}

/** An SSH agent of the client. */
export type LentAgent =
  /** A socket of this machine that the client names, and the user who asks. */
  | { readonly kind: 'socket'; readonly path: string; readonly user: number }
  /** Behind the client's own connection. Each call opens a way to it; what goes wrong later breaks that stream. */
  | { readonly kind: 'stream'; connect(): Duplex };

/** What the client lends to RUN steps while the build runs, asked for when a step needs it. None of it is stored or told. */
export interface LentToBuild {
  /** Undefined when the client has none of that ID. */
  secret(id: string, options: { readonly signal: AbortSignal }): Promise<Buffer | undefined>;
  agent(id: string, options: { readonly signal: AbortSignal }): Promise<LentAgent | undefined>;
}

export interface RunRequest {
  /** Bottom first. */
  readonly layers: readonly LayerId[];
  /** The same layers by content, less the empty ones, when all are known. */
  readonly diffIds: () => Promise<readonly DiffId[]>;
  /** ID of the image that FROM named, for the container's record; empty for scratch. */
  readonly image: ImageId | undefined;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** More of it, that stands in no record. */
  readonly secretEnv: readonly string[];
  readonly user: string;
  readonly workdir: string;
  /** Folders that the step finds, made when they are missing: the image's volumes. */
  readonly folders: readonly string[];
  readonly mounts: readonly RunMount[];
  readonly network: string;
  /** With all capabilities and devices. */
  readonly privileged: boolean;
  /** Undefined for the container's ID. */
  readonly hostname: string | undefined;
  readonly extraHosts: readonly string[];
  readonly resources: BuildResources;
  readonly onStart: (container: string) => void;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A RUN container that has ended. One of the three is called, once. */
export interface EndedRun {
  readonly exitCode: number;
  readonly container: string;
  /**
   * Makes its changes a layer. With `keep` the stopped container stays, standing on that layer. Files that are newer than
   * `newest`, seconds since 1970, get that time.
   */
  commit(options: { readonly keep: boolean; readonly newest: number | undefined }): Promise<MadeLayer>;
  /** Removes the container and its changes. */
  remove(): Promise<void>;
  /** Leaves the stopped container to the user. */
  keep(): Promise<void>;
}

/**
 * Runs the command of a RUN step in a container on the layers so far. `run` resolves when the command has ended, with whatever
 * exit code; it rejects when the container cannot be made or started, and when the signal aborts: then the command was
 * killed, and nothing of the container is left. Output is handed on as it comes, and the
 * command waits while nobody takes it. Mounts are the caller's: they must stay until the run has ended.
 */
export interface RunExecutor {
  run(request: RunRequest): Promise<EndedRun>;
}
