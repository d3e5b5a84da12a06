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
  errorDetail?: { code?: number; message: string };
  aux?: unknown;
}
