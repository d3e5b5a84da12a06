/** As command.ts, for the command lines that are called most; a tenth of it. */
import { quickMain } from '../cli/quick-main.ts';
import { siblingScript } from '../lib/sibling-script.ts';

/** Runs one command line and returns its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  return await quickMain(argv, siblingScript(import.meta.url, 'host'));
}
