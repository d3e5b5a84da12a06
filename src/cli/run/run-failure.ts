import { Failure, isFailure } from '../../lib/error.ts';

/**
 * Runs `work`; its failures are told as those of `run`: with the program's name, a pointer to the help, and exit code
 * 127 for a command that does not exist, 126 for one that cannot be executed, 125 otherwise.
 */
export async function withRunHint(path: string, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!isFailure(error) || error.kind === 'cancelled' || error.exitCode !== undefined) throw error;
    const hint = error.hint === undefined ? '' : `\n  (${error.hint})`;
    const message = `strake: ${error.message}${hint}\n\nRun 'strake ${path} --help' for more information`;
    throw new Failure(error.kind, error.code, message, { cause: error, exitCode: exitCodeFor(error) });
  }
}

/** Exit code for a failed start, by what the runtime says. */
export function exitCodeFor({ code, message }: Failure): number {
  if (!code.startsWith('HTTP_')) return 125;
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(message))
    return 127;
  return /permission denied|is a directory/.test(message) ? 126 : 125;
}
