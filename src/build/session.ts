import type { StagePlan } from '../dockerfile/stages.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { Platform } from '../oci/platform.ts';
import type { Snapshots } from '../snapshot/snapshots.ts';
import type { Store } from '../store/open-store.ts';
import type { BuildEvent, BuildOptions } from '../wire/build.ts';
import type { ContextFiles } from './context/build-context.ts';
import type { BuildTrace } from './explain/build-trace.ts';
import type { ImageSource, LentToBuild, NamedContexts, RunExecutor, StepImages } from './needs.ts';
import type { Vertices } from './vertex.ts';

export interface UnlikeStep {
  readonly step: number;
  /** The instruction's text. */
  readonly site: string;
  /** `/path: what differs`. */
  readonly changes: readonly string[];
}

/** One build while it runs: what was asked for, what it may use, whom it tells. */
export interface BuildSession {
  readonly options: BuildOptions;
  readonly plan: StagePlan;
  readonly platform: Platform;
  /** See source-date.ts. */
  readonly sourceDate: number | undefined;
  readonly context: ContextFiles;
  readonly contexts: NamedContexts;
  readonly lent: LentToBuild;
  /** Folder for what must not get to a disk. */
  readonly memory: string;
  /** Who allows `RUN --security=insecure`. */
  readonly insecure: { readonly host: boolean; readonly client: boolean };
  readonly store: Store;
  readonly snapshots: Snapshots;
  readonly workers: WorkerPool;
  readonly images: ImageSource;
  readonly stepImages: StepImages;
  readonly vertices: Vertices;
  readonly runner: RunExecutor;
  /** Hears that a RUN does not use a cache mount any more. */
  readonly cacheMountEnded: (name: string) => void;
  /** Steps that gave something else when they were done again for `--verify`. */
  readonly unlike: UnlikeStep[];
  /** Writes down what the steps do. */
  readonly trace: BuildTrace;
  /** Bounds the steps of parallel stages that work at the same time. */
  readonly work: <T>(task: () => Promise<T>) => Promise<T>;
  readonly emit: (event: BuildEvent) => Promise<void>;
  readonly signal: AbortSignal;
}
