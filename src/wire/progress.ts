import type { SourceRange } from '../lib/error.ts';
import { decimalSize } from '../lib/scaled-size.ts';

/**
 * One line of the progress streams of build, pull, push, load and import: JSON objects, each ended by `\r\n`.
 * https://docs.docker.com/reference/api/engine/
 */
export interface ProgressLine {
  stream?: string;
  status?: string;
  id?: string;
  /** The same as `progressDetail`, drawn. */
  progress?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
  /** `code` is an exit code. `hint` and `source` come from Strake hosts only. */
  errorDetail?: { code?: number; message: string; hint?: string; source?: SourceRange };
  aux?: unknown;
}

/** How far something is, as Docker draws it: `[====>     ]  1.2MB/5MB`, without a bar when `columns` are few; '' before the first byte. */
export function drawBar({ current, total }: { current?: number; total?: number }, columns: number): string {
  if (current === undefined || current <= 0) return '';
  const done = decimalSize(current, 4).padStart(8);
  if (total === undefined || total <= 0) return done;
  const numbers = `${done}/${decimalSize(total, 4)}`;
  if (columns < 110) return numbers;
  const half = Math.min(50, Math.trunc((current / total) * 50));
  const bar = half >= 50 ? `${'='.repeat(50)}>` : `${'='.repeat(half)}>${' '.repeat(50 - half)}`;
  return `[${bar}] ${numbers}`;
}
