/** The command, to be loaded by `loadCommand`. */
import { main } from '../cli/main.ts';
import { siblingScript } from '../lib/sibling-script.ts';

/** Runs one command line and returns its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  return await main(argv, siblingScript(import.meta.url, 'host'));
}
