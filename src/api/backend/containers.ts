import type { Readable, Writable } from 'node:stream';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type {
  ContainerConfig,
  ContainerCreateBody,
  ContainerInspect,
  ContainerSummary,
  HostConfig,
} from '../../wire/container.ts';
import type { Filters } from '../../wire/filters.ts';
import type { CallOptions } from './call.ts';

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
