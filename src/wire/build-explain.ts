/** What Strake hosts tell of past builds: GET /strake/builds and /strake/builds/{build}. Step numbers count from 1. */

export interface BuildSummary {
  /** 12 hex digits. */
  Id: string;
  Tags: string[];
  Image?: string;
  Status: 'succeeded' | 'failed' | 'cancelled';
  Error?: string;
  /** RFC 3339. */
  Started: string;
  Milliseconds: number;
  Steps: number;
  /** Steps that work on files and were taken from the cache, and those that were not. */
  Cached: number;
  Missed: number;
  /** The step that failed. */
  FailedStep?: number;
}

export interface BuildExplanation extends BuildSummary {
  MissedSteps: MissedStep[];
  Advice: BuildAdvice[];
}

export interface MissedStep extends CacheMiss {
  Step: number;
  Stage?: string;
  /** First line in the Dockerfile; 0 for a step that is not written there. */
  Line: number;
  /** The instruction; of a FROM step, the trigger that it ran. */
  Instruction: string;
  /** The same for people, line by line. */
  Text: string[];
}

/**
 * Why a step was not taken from the cache. `first`: there was nothing like it. `changed`: see Changes. `follows`: only a
 * step before it is different. `no-cache`: it was told not to use the cache. `removed`: it was there and is not any more.
 * `failed`: the same step failed before and left no result.
 */
export interface CacheMiss {
  Cause: 'first' | 'changed' | 'follows' | 'no-cache' | 'removed' | 'failed';
  /** The step whose result it stands on, when that was not taken from the cache either. */
  Follows?: number;
  Changes: CacheChange[];
  /** What it was compared with: a step of that build, or a record of the cache alone. */
  Compared?: { Build?: string; Step?: number; At: string };
}

export interface CacheChange {
  /**
   * `instruction`, `command` (same text, other shell or heredoc), `arg`, `env`, `files`, `mount`, `base` (image of FROM),
   * `previous` (another instruction stands before it), or a setting: `user`, `workdir`, `platform`, `network`, ...
   */
  What: string;
  /** Of the variable, the mount's target or the base image. */
  Name?: string;
  Before?: string;
  After?: string;
  /** The values look like a secret and are not told. */
  Hidden?: true;
  /** Of `files` and of a mount: the first that differ, and how many do. Absent when the earlier list is not kept any more. */
  Files?: FileChange[];
  FileCount?: number;
}

export interface FileChange {
  Path: string;
  Change: 'added' | 'removed' | 'type' | 'content' | 'mode' | 'target' | 'attributes';
}

/** POST /strake/builds/debug. */
export interface DebugRequest {
  /** The one that failed, else the last, when absent. */
  Step?: number;
  /** Where the step began, not what it left. */
  Before?: boolean;
  /** Run the step's command again, where the step began. */
  Retry?: boolean;
  /** Instead of a shell. */
  Cmd?: string[];
  Tty?: boolean;
}

export interface DebugAnswer {
  /** Made, not started; removed when it ends. */
  Container: string;
  Build: string;
  Step: number;
  Instruction: string;
  Outcome: string;
  /** Files as before the step, or as it left them. */
  Shows: 'before' | 'after';
  User: string;
  WorkingDir: string;
  /** Mounts of the step that are not there any more. */
  Lost: string[];
  /** `retry-step` in it runs the step's command. */
  CanRetry: boolean;
}

/** An edit of the Dockerfile, or of what is around it, after which the steps would have been taken from the cache. */
export interface BuildAdvice {
  /** Where the edit is. */
  Step: number;
  /** The steps that it keeps. */
  Keeps: number[];
  Text: string;
}
