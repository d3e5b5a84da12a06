import { isFailure } from '../../lib/error.ts';
import type { Session } from '../session.ts';

/**
 * Does `work` for every name in order, prints what it returns, and goes on after a failure. Returns the exit code: 1
 * when any failed.
 */
export async function forEachName(
  session: Session,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let exitCode = 0;
  for (const name of names) {
    try {
      const line = await work(name);
      if (line !== undefined) session.stdout.write(`${line}\n`);
    } catch (error) {
      if (!isFailure(error) || error.kind === 'cancelled') throw error;
      session.stderr.write(`${error.message}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}
