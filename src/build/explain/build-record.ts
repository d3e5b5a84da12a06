import type { BuildSummary, CacheMiss } from '../../wire/build-explain.ts';
import type { KeyComponent } from '../cache-key.ts';
import type { RunMount } from '../needs.ts';

/** What is remembered of a build, as JSON in the store. Step numbers count from 0. */
export interface BuildRecord {
  readonly id: string;
  /** The same for the next build of the same thing. */
  readonly source: string;
  readonly tags: readonly string[];
  /** Milliseconds since the epoch, as all times here. */
  readonly started: number;
  ended: number;
  status: BuildSummary['Status'];
  error?: string;
  image?: string;
  readonly steps: StepRecord[];
}

export interface StepRecord {
  readonly index: number;
  readonly stage: number;
  readonly stageName: string | undefined;
  readonly line: number;
  readonly text: string;
  outcome: 'waiting' | 'running' | 'done' | 'cached' | 'failed';
  started?: number;
  ended?: number;
  /** The image after it. */
  image?: string;
  /** What it asked the cache; a FROM step asks for its triggers. Metadata asks nothing. */
  readonly keys: KeyRecord[];
  /** The image that FROM named. */
  base?: BaseRecord;
  /** How its command ran, of RUN. */
  run?: RunRecord;
}

export interface KeyRecord {
  readonly site: string;
  readonly digest: string;
  readonly components: readonly KeyComponent[];
  readonly cached: boolean;
  /** Identity of what it gave; absent when it failed. */
  result?: string;
  /** Why it was not in the cache. */
  miss?: CacheMiss;
}

export interface BaseRecord {
  readonly name: string;
  readonly image: string;
  /** Identity of its file system in the keys of the steps on it. */
  readonly result: string;
}

export interface RunRecord {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly network: string;
  readonly extraHosts: readonly string[];
  /** RUN --security=insecure. */
  readonly privileged: boolean;
  /** Mounts that are still there after the build: caches, tmpfs, and of a failed step the files that it had bound. */
  readonly mounts: readonly RunMount[];
  /** Targets of mounts that are not there any more. */
  lost: readonly string[];
  /** The stopped container that a failed step left. */
  container?: string;
}

/** How a step is called and where it stands, for alignment with another build. */
export function sameStage(a: StepRecord, b: StepRecord): boolean {
  return a.stageName === undefined && b.stageName === undefined ? a.stage === b.stage : a.stageName === b.stageName;
}
