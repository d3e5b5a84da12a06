import { isFailure, messageOf, type SourceRange } from '../lib/error.ts';
import { standardError } from './standard-streams.ts';

/** Says on standard error why a command failed; returns the exit code. */
export function report(error: unknown, debug: boolean): number {
  if (isFailure(error)) {
    if (error.kind === 'cancelled') return error.exitCode ?? 130;
    if (error.code === 'FLAG_UNKNOWN' || error.code === 'FLAG_VALUE') {
      const usage = 'Usage:  strake [OPTIONS] COMMAND [ARG...]';
      standardError().write(`${error.message}\n\n${usage}\n\nRun 'strake --help' for more information\n`);
      return 125;
    }
    if (error.message !== '') standardError().write(`${error.message}\n`);
    if (error.source) standardError().write(showPlace(error.source));
    if (error.hint !== undefined) standardError().write(`  (${error.hint})\n`);
    if (debug && error.kind === 'internal') standardError().write(`${error.stack}\n`);
    return error.exitCode ?? 1;
  }
  standardError().write(`strake: ${debug && error instanceof Error ? error.stack : messageOf(error)}\n`);
  return 1;
}

/** Where in a Dockerfile it happened, and the lines themselves. */
function showPlace({ file, line, column, excerpt }: SourceRange): string {
  const place = `${file}:${line}${column === undefined ? '' : `:${column}`}`;
  return excerpt === undefined || excerpt === '' ? `at ${place}\n` : `at ${place}:\n${excerpt.replace(/^/gm, '  ')}\n`;
}
