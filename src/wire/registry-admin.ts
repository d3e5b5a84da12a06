/** Shapes of the registry's own API, under `/_strake/`, for those who administer it. Sizes are bytes. */

/** Answer of POST /_strake/gc */
export interface RegistryGcReport {
  /** Uploads that were given up. */
  readonly uploads: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Repositories that held nothing any more. */
  readonly repositories: number;
}

/** One line of POST /_strake/check; the last one is the sum. */
export type RegistryCheckLine = RegistryProblem | RegistryCheckSum;

export interface RegistryProblem {
  readonly problem: string;
  /** Whether a repair can or could do something about it. */
  readonly repair: 'done' | 'possible' | 'none';
}

export interface RegistryCheckSum {
  readonly blobs: number;
  readonly manifests: number;
  readonly problems: number;
  readonly repaired: number;
}

/** Body of POST /_strake/prune: what may go. */
export interface RegistryPruneRules {
  /** Only this repository; otherwise all. */
  readonly repository?: string | undefined;
  /** Tags that match, `*` for anything; otherwise no tag goes. */
  readonly tags?: string | undefined;
  /** So many of the newest of these tags stay in each repository. */
  readonly keepLast: number;
  /** Milliseconds: what was changed in this time stays. */
  readonly olderThan: number;
  /** Manifests with no tag that no index names and that refer to nothing. */
  readonly untagged: boolean;
  /** Only tell. */
  readonly dryRun: boolean;
}

/** One line of POST /_strake/prune. */
export interface RegistryPruned {
  readonly repository: string;
  /** `:tag` or `@digest` */
  readonly reference: string;
}

/** Answer of POST /_strake/restore, whose body has `repository` and `reference` (`:tag`, `@digest` or nothing). */
export interface RegistryRestored {
  readonly restored: readonly string[];
}
