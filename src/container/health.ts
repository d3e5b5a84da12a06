import { messageOf } from '../lib/error.ts';
import { timerDelay } from '../lib/timer-delay.ts';
import type { Healthcheck } from '../oci/image-config.ts';
import type { ContainerState } from '../wire/container.ts';
import type { Container } from './container.ts';
import type { Execs } from './execs.ts';
import { isAlive } from './record.ts';

export type HealthState = NonNullable<ContainerState['Health']>;

/** Nanoseconds, as in the image config. */
const DEFAULT_INTERVAL = 30e9;
const DEFAULT_TIMEOUT = 30e9;
const DEFAULT_RETRIES = 3;
const DEFAULT_START_INTERVAL = 5e9;
const KEPT_RESULTS = 5;
const OUTPUT_LIMIT = 4096;
const DEFAULT_SHELL = ['/bin/sh', '-c'];

/** Probes a running container by its HEALTHCHECK until stopped. */
export class HealthMonitor {
  readonly #container: Container;
  readonly #check: Healthcheck;
  readonly #execs: Execs;
  readonly #onChange: (status: string) => void;
  readonly #stop = new AbortController();
  readonly #startedAt: number;
  readonly #log: HealthState['Log'][number][];
  #status: string;
  #streak: number;
  #timer: NodeJS.Timeout | undefined;

  /** Goes on from what the host before has found of this run, if it did. */
  constructor(container: Container, check: Healthcheck, execs: Execs, onChange: (status: string) => void) {
    const { phase } = container.record;
    const before = isAlive(phase) ? phase.kept?.health : undefined;
    this.#startedAt = isAlive(phase) ? Date.parse(phase.startedAt) : Date.now();
    this.#status = before?.Status ?? 'starting';
    this.#streak = before?.FailingStreak ?? 0;
    this.#log = [...(before?.Log ?? [])];
    this.#container = container;
    this.#check = check;
    this.#execs = execs;
    this.#onChange = onChange;
    this.#schedule();
  }

  state(): HealthState {
    return { Status: this.#status, FailingStreak: this.#streak, Log: [...this.#log] };
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #inStartPeriod(): boolean {
    return this.#status === 'starting' && Date.now() - this.#startedAt < (this.#check.StartPeriod ?? 0) / 1e6;
  }

  #schedule(): void {
    const interval = this.#inStartPeriod()
      ? this.#check.StartInterval || DEFAULT_START_INTERVAL
      : this.#check.Interval || DEFAULT_INTERVAL;
    this.#timer = setTimeout(() => void this.#probe(), timerDelay(interval / 1e6));
    this.#timer.unref();
  }

  async #probe(): Promise<void> {
    if (this.#container.record.phase.status === 'paused') return this.#schedule();
    const started = new Date();
    const timeout = this.#check.Timeout || DEFAULT_TIMEOUT;
    const expired = AbortSignal.timeout(timerDelay(timeout / 1e6));
    let exitCode = -1;
    let output = '';
    try {
      const signal = AbortSignal.any([expired, this.#stop.signal]);
      const command = { Cmd: commandOf(this.#check, this.#container) };
      ({ exitCode, output } = await this.#execs.runToEnd(this.#container, command, {
        signal,
        outputLimit: OUTPUT_LIMIT,
      }));
      if (expired.aborted) {
        exitCode = -1;
        output = `Health check exceeded timeout (${duration(timeout)})`;
      }
    } catch (error) {
      output = messageOf(error);
    }
    if (this.#stop.signal.aborted) return;
    this.#note({ Start: started.toISOString(), End: new Date().toISOString(), ExitCode: exitCode, Output: output });
    this.#schedule();
  }

  #note(result: HealthState['Log'][number]): void {
    const forgiven = this.#inStartPeriod();
    this.#log.push(result);
    if (this.#log.length > KEPT_RESULTS) this.#log.shift();
    const before = this.#status;
    if (result.ExitCode === 0) {
      this.#streak = 0;
      this.#status = 'healthy';
    } else if (!forgiven) {
      this.#streak++;
      if (this.#streak >= (this.#check.Retries || DEFAULT_RETRIES)) this.#status = 'unhealthy';
    }
    if (this.#status !== before) this.#onChange(this.#status);
  }
}

/** What is known of a container's health; of one that ended, what was found before. */
export function healthOf({ health, record: { phase } }: Pick<Container, 'health' | 'record'>): HealthState | undefined {
  return health?.state() ?? (phase.status === 'exited' || phase.status === 'restarting' ? phase.health : undefined);
}

/** Whether the container has a check at all. */
export function hasHealthcheck(check: Healthcheck | undefined): check is Healthcheck {
  const kind = check?.Test?.[0];
  return kind === 'CMD' || kind === 'CMD-SHELL';
}

function commandOf(check: Healthcheck, container: Container): string[] {
  const [kind, ...rest] = check.Test ?? [];
  return kind === 'CMD' ? rest : [...(container.record.config.Shell ?? DEFAULT_SHELL), rest.join(' ')];
}

/** Nanoseconds as Go writes a duration: `300ms`, `1.5s`, `1m0s`. */
function duration(nanoseconds: number): string {
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const seconds = nanoseconds / 1e9;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  return hours > 0 ? `${hours}h${minutes}m${rest}` : minutes > 0 ? `${minutes}m${rest}` : rest;
}
