import { posix } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Attachment } from '../host/network/attachment.ts';
import { Failure } from '../lib/error.ts';
import type { ActiveSnapshot } from '../snapshot/active-snapshot.ts';
import type { ContainerId } from '../store/containers.ts';
import type { HealthMonitor } from './health.ts';
import type { Launched } from './launch.ts';
import { logLimits } from './log-options.ts';
import { LogWriter } from './log-writer.ts';
import { OutputHub } from './output-hub.ts';
import { type ContainerRecord, exitCodeOf, isAlive } from './record.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** What a running container holds. */
export interface Run {
  readonly launched: Launched;
  readonly attachment: Attachment;
  /** Resolves when all output has arrived. */
  readonly carried: Promise<void>;
  /** Resolves when it has ended and everything is released and recorded. */
  readonly settled: Promise<void>;
}

/** The streams of one run, made before it: clients attach first. */
export interface RunStreams {
  readonly hub: OutputHub;
  /** What attached clients type. Undefined without OpenStdin. */
  readonly input: PassThrough | undefined;
  /** Undefined when nothing is logged. */
  readonly log: LogWriter | undefined;
}

/** The container, as the user wrote it, whose network this one shares. */
export function sharedNetworkOf({ record }: Pick<Container, 'record'>): string | undefined {
  const mode = record.hostConfig.NetworkMode ?? '';
  return mode.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** A container in the host's memory: its record, its streams, those who wait for it. Changed by lifecycle.ts only. */
export class Container {
  readonly id: ContainerId;
  readonly folder: string;
  snapshot: ActiveSnapshot;
  name: string;
  record: ContainerRecord;
  /** False for the container of a build step, until it is kept. */
  recorded: boolean;
  /** For its first program only, and in no record. */
  readonly secretEnv: readonly string[];
  run: Run | undefined;
  streams: RunStreams;
  /** Uses of the mounted root besides the run. */
  rootUses = 0;
  /** Next start by the restart policy. */
  restartTimer: NodeJS.Timeout | undefined;
  removing = false;
  /** Requests to stop that wait for its end: no restart policy applies. */
  stops = 0;
  /** Requests to restart that wait for its end: `--rm` does not apply. */
  renewals = 0;
  health: HealthMonitor | undefined;
  readonly #exits = new Set<(exitCode: number) => void>();
  readonly #removals = new Set<(exitCode: number) => void>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    readonly id: ContainerId;
    readonly name: string;
    readonly folder: string;
    readonly record: ContainerRecord;
    readonly snapshot: ActiveSnapshot;
    readonly recorded: boolean;
    readonly secretEnv: readonly string[];
  }) {
    this.id = parts.id;
    this.name = parts.name;
    this.folder = parts.folder;
    this.record = parts.record;
    this.snapshot = parts.snapshot;
    this.recorded = parts.recorded;
    this.secretEnv = parts.secretEnv;
    this.streams = this.#makeStreams();
  }

  /** Nobody will see its changes after this host process: a build step's, until it is kept, and those of `--rm`. */
  get isThrownAway(): boolean {
    return !this.recorded || (this.record.hostConfig.AutoRemove ?? false);
  }

  get logPath(): string {
    return `${this.folder}/${this.id}-json.log`;
  }

  get cgroupsPath(): string {
    return posix.join('/', this.record.hostConfig.CgroupParent || 'strake', this.id);
  }

  /** Runs changes of the container's life one after the other. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The exit code, when the condition is met. For `removed` that of the last run. */
  wait(condition: WaitCondition, options: { readonly signal: AbortSignal }): Promise<number> {
    const { phase } = this.record;
    if (condition === 'not-running' && !isAlive(phase)) return Promise.resolve(exitCodeOf(phase));
    const waiters = condition === 'removed' ? this.#removals : this.#exits;
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const finish = () => {
        waiters.delete(done);
        signal.removeEventListener('abort', abort);
      };
      const done = (exitCode: number) => {
        finish();
        resolve(exitCode);
      };
      const abort = () => {
        finish();
        reject(new Failure('cancelled', 'CANCELLED', 'nobody waits for the container any more'));
      };
      if (signal.aborted) return abort();
      waiters.add(done);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  tellExit(exitCode: number): void {
    for (const done of [...this.#exits]) done(exitCode);
  }

  /** It is gone, or could not be removed by itself. */
  tellRemoval(): void {
    this.tellExit(exitCodeOf(this.record.phase));
    for (const done of [...this.#removals]) done(exitCodeOf(this.record.phase));
  }

  /** New streams for the next run; clients of the ones before have their end. */
  renewStreams(): void {
    this.streams = this.#makeStreams();
  }

  /** The run, or a Failure in Docker's words. */
  running(): Run {
    if (this.run && isAlive(this.record.phase)) return this.run;
    throw notRunning(this);
  }

  #makeStreams(): RunStreams {
    const { config, hostConfig } = this.record;
    const hub = new OutputHub(config.Tty ?? false);
    const logged = this.recorded && hostConfig.LogConfig?.Type !== 'none' ? hostConfig.LogConfig : undefined;
    const log = logged && new LogWriter(this.logPath, logLimits(logged));
    if (log) hub.addSink((name, chunk) => log.write(name, chunk));
    return { hub, input: config.OpenStdin ? new PassThrough() : undefined, log };
  }
}

/** In Docker's words. */
export function notRunning({ id }: Container): Failure {
  return new Failure('conflict', 'NOT_RUNNING', `container ${id} is not running`);
}
