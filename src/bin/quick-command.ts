/** As command.ts, for the command lines that are called most; a tenth of it. */
import { quickMain } from '../cli/quick-main.ts';
import { flushStandardStreams } from '../cli/standard-streams.ts';
import { siblingScript } from '../lib/sibling-script.ts';

/** Runs one command line and returns its exit code when all that it wrote has been taken. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const exitCode = await quickMain(argv, siblingScript(import.meta.url, 'host'));
  await flushStandardStreams();
  return exitCode;
}
