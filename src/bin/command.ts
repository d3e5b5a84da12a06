import { main } from '../cli/main.ts';
import { siblingScript } from '../lib/sibling-script.ts';

/** Runs one command line and returns its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  return await main(argv, siblingScript(import.meta.url, 'host'));
}

/** Runs the command line of this process, and ends the process. */
export async function runProcess(): Promise<void> {
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    // The reader of our output left (`strake images | head -1`): nothing is left to do.
    if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0);
    process.stderr.write(`strake: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
  // Exits even when a terminal's input is still being read.
  process.exit(await runCommand(process.argv.slice(2)));
}
