/** What a build asks for and what it tells, shared by the host, its API and the command. */
import type { Ulimit } from './container.ts';

/** Options of POST /build, after parsing. Names follow https://docs.docker.com/reference/api/engine/ */
export interface BuildOptions {
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
  readonly tags: readonly string[];
  /** URL of a git repository, tarball or Dockerfile instead of a body. */
  readonly remote: string | undefined;
  readonly quiet: boolean;
  readonly noCache: boolean;
  /** Names of stages that use no cache. */
  readonly noCacheFilter: readonly string[];
  /** Names of images whose config may hold a build cache. */
  readonly cacheFrom: readonly string[];
  /** Keep the cache of the result's own steps in its config. */
  readonly inlineCache: boolean;
  /** The result is wanted as an image; else only its files are, and it is the build cache's. */
  readonly keepImage: boolean;
  /** Do every step twice and fail when the results are not the same. */
  readonly verify: boolean;
  readonly pull: boolean;
  /** Remove containers of successful steps. */
  readonly remove: boolean;
  /** Remove them after a failed step too. */
  readonly forceRemove: boolean;
  /** A null value takes nothing from anywhere: the argument stays unset. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string | undefined;
  readonly platform: string | undefined;
  readonly networkMode: string | undefined;
  readonly extraHosts: readonly string[];
  readonly squash: boolean;
  /** Say at the end what rules find in the Dockerfile. */
  readonly lint: boolean;
  /** Privileged features that the user allows (`security.insecure`); the host must allow them too. */
  readonly allow: readonly string[];
  readonly resources: BuildResources;
  /** Say why steps miss the cache, while it builds. */
  readonly explain: boolean;
}

/** Limits of the container behind RUN. Zero or empty means unset. Bytes; microseconds for the CPU period and quota. */
export interface BuildResources {
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpuShares: number;
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly shmSize: number;
  readonly ulimits: readonly Ulimit[];
  readonly cgroupParent: string;
}

/** A stage that a build can be for. */
export interface BuildTarget {
  readonly name: string | undefined;
  /** Of a comment above it that begins with its name. */
  readonly description: string | undefined;
  /** What FROM names, variables replaced. */
  readonly base: string;
  readonly platform: string | undefined;
  /** Whether it is the last one. */
  readonly isDefault: boolean;
  readonly line: number;
  readonly endLine: number;
}

/** A numbered line of the build: what `Step i/n : ...` shows. `index` counts from 0 over the whole build. */
export interface StepInfo {
  readonly index: number;
  readonly stage: number;
  readonly stageName: string | undefined;
  /** First line in the Dockerfile; 0 for steps that `--label` adds. */
  readonly line: number;
  /** The instruction as written, continuation lines joined. */
  readonly text: string;
  /** What FROM begins with, its variables replaced; left out for other instructions, scratch and stages. */
  readonly from?: { readonly kind: 'image' | 'context'; readonly name: string };
  /** The first line of a RUN's only heredoc, `...` behind it when there are more. */
  readonly heredoc?: string;
}

/**
 * What a build tells while it works, as one typed stream. Classic text, the terminal view and Docker's JSON lines are
 * drawings of it. Steps of parallel stages may interleave; `at` is milliseconds since the epoch.
 */
export type BuildEvent =
  /**
   * First of all; and again with further steps, when a base image's trigger needs a stage that nothing in the file does.
   * `stages` is how many the file has, needed or not.
   */
  | { readonly type: 'plan'; readonly steps: readonly StepInfo[]; readonly stages: number }
  | { readonly type: 'context'; readonly current: number; readonly files: number }
  | { readonly type: 'step-start'; readonly step: number; readonly at: number }
  /** Said after step-start and before step-done, when the result came from the cache. */
  | { readonly type: 'step-cached'; readonly step: number }
  /** Why the step was not taken from the cache. Only when the build was asked to explain itself. */
  | { readonly type: 'step-missed'; readonly step: number; readonly lines: readonly string[] }
  /** ONBUILD triggers of a base image, said for its FROM step. */
  | { readonly type: 'step-triggers'; readonly step: number; readonly count: number }
  | { readonly type: 'step-container'; readonly step: number; readonly container: string }
  | { readonly type: 'step-output'; readonly step: number; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | {
      readonly type: 'step-progress';
      readonly step: number;
      readonly what: string;
      readonly current: number;
      readonly total?: number;
    }
  | { readonly type: 'step-container-removed'; readonly step: number; readonly container: string }
  /** `image` is undefined for FROM scratch and for steps before the first FROM. */
  | { readonly type: 'step-done'; readonly step: number; readonly image: string | undefined; readonly at: number }
  | { readonly type: 'step-failed'; readonly step: number; readonly message: string; readonly at: number }
  | { readonly type: 'warning'; readonly message: string }
  /** What a rule found in the Dockerfile; said at the end, to clients that ask for it. `page` is the rule's in the docs. */
  | {
      readonly type: 'lint';
      readonly rule: string;
      readonly level: 'warning' | 'error';
      readonly message: string;
      readonly page: string;
      readonly line: number;
      readonly endLine: number;
      /** These lines with their numbers. */
      readonly excerpt: string;
    }
  | { readonly type: 'image'; readonly image: string }
  | { readonly type: 'built'; readonly image: string }
  | { readonly type: 'tagged'; readonly name: string };

/**
 * Header by which a client on the same machine offers the context as a folder instead of a tar: base64 JSON of
 * ContextOffer. The host answers 412 when the folder it sees at that path is not the same one; the client then
 * sends a tar. The body of such a request is empty, or the Dockerfile's text when it lies outside the context.
 */
export const CONTEXT_HEADER = 'strake-context';
/** Answer header of a Strake host, with its version. Its presence means that the extensions above are understood. */
export const VERSION_HEADER = 'strake-version';
/** Query parameter of POST /build: `strakeevents=1` asks for BuildEvents, each as `{"id":"strake.event","aux":event}`. */
export const EVENTS_QUERY = 'strakeevents';
/** Query parameter of POST /build: `strakelint=1` asks for what rules find in the Dockerfile. */
export const LINT_QUERY = 'strakelint';
/** Query parameter of POST /build: `strakecheck=1` asks for that and for no image. */
export const CHECK_QUERY = 'strakecheck';
export const EVENT_LINE_ID = 'strake.event';
/** Query parameter of POST /build: `strakeexplain=1` asks to be told why steps miss the cache. */
export const EXPLAIN_QUERY = 'strakeexplain';
/** Query parameter of POST /build: `strakefiles=1` wants no image, the files that the client will ask for alone. */
export const FILES_QUERY = 'strakefiles';
export const VERIFY_QUERY = 'strakeverify';
export const INLINE_CACHE_QUERY = 'strakeinlinecache';
/** Answer header of POST /build: the ID under which the build is remembered. */
export const BUILD_HEADER = 'strake-build';

export interface ContextOffer {
  readonly path: string;
  /** Decimal device and inode number of the folder. */
  readonly device: string;
  readonly inode: string;
}
