import type { SourceRange } from '../lib/error.ts';

/**
 * One line of the progress streams of build, pull, push, load and import: JSON objects, each ended by `\r\n`.
 * https://docs.docker.com/reference/api/engine/
 */
export interface ProgressLine {
  stream?: string;
  status?: string;
  id?: string;
  progress?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
  /** `code` is an exit code. `hint` and `source` come from Strake hosts only. */
  errorDetail?: { code?: number; message: string; hint?: string; source?: SourceRange };
  aux?: unknown;
}
