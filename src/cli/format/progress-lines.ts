import { Failure } from '../../lib/error.ts';
import { printable } from '../../lib/printable.ts';
import { drawBar, type ProgressLine } from '../../wire/progress.ts';
import { errorDetail } from '../client/error-detail.ts';
import type { Output } from '../session.ts';

export interface ProgressOptions {
  /** Receives the `aux` values. */
  readonly onAux?: (aux: unknown, id: string | undefined) => void;
  /** Draws nothing; errors and `aux` still count. */
  readonly quiet?: boolean;
}

/**
 * Prints the progress of pull, push, load, import or a classic build. On a terminal every `id` has one line, redrawn
 * in place; elsewhere lines follow each other and moving bars are left out. An error line is thrown as a Failure.
 */
export async function drawProgress(
  lines: AsyncIterable<ProgressLine>,
  output: Output,
  options: ProgressOptions = {},
): Promise<void> {
  const draw = progressPrinter(output, options);
  for await (const line of lines) draw(line);
}

/** The same of lines that come one by one. */
export function progressPrinter(output: Output, options: ProgressOptions = {}): (line: ProgressLine) => void {
  const rows = new Map<string, number>();
  const terminal = output.isTTY === true;
  return (line) => {
    if (line.errorDetail || line.error !== undefined) throw lineFailure(line);
    if (line.aux !== undefined) options.onAux?.(line.aux, line.id);
    if (options.quiet === true) return;
    if (line.stream !== undefined) output.write(line.stream);
    else if (line.status !== undefined) {
      const bar = terminal ? drawBar(line.progressDetail ?? {}, output.columns ?? 80) : '';
      const moving = line.progressDetail?.current !== undefined || (line.progress ?? '') !== '';
      if (!terminal && moving) return;
      const id = line.id === undefined ? '' : `${line.id}: `;
      const text = printable(`${id}${line.status}${bar === '' ? '' : ` ${bar}`}`);
      if (!terminal || line.id === undefined) {
        // A line without a place of its own: what follows starts below it.
        rows.clear();
        output.write(`${text}\n`);
      } else output.write(inPlace(rows, line.id, text));
    }
  };
}

/** The failure that a stream's error line tells. Its exit code is the one of a failed RUN. */
export function lineFailure(line: ProgressLine): Failure {
  const { message = line.error ?? 'unknown error', code = 0 } = line.errorDetail ?? {};
  return new Failure('internal', 'STREAM_ERROR', message, {
    ...(code === 0 ? {} : { exitCode: code }),
    ...errorDetail(line.errorDetail ?? {}),
  });
}

/** Rewrites the line of `id`, or adds one below all others. */
function inPlace(rows: Map<string, number>, id: string, text: string): string {
  const known = rows.get(id);
  if (known === undefined) {
    rows.set(id, rows.size);
    return `${text}\n`;
  }
  const up = rows.size - known;
  return `\x1b[${up}A\x1b[2K\r${text}\x1b[${up}B\r`;
}
