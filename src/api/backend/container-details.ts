import type { Readable } from 'node:stream';
import type { ChangeRow, ContainerStats, PathStat, ProcessTable } from '../../wire/container-details.ts';
import type { ExecCreateBody, ExecInspect } from '../../wire/exec.ts';
import type { CallOptions } from './call.ts';
import type { AttachedStreams, TerminalSize } from './containers.ts';

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
