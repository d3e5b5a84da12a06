/** Runs the command line of this process by `main`, and ends the process with its exit code. */
export async function runProcess(main: (argv: readonly string[]) => Promise<number>): Promise<void> {
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    // The reader of our output left (`strake images | head -1`): nothing is left to do.
    if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0);
    process.stderr.write(`strake: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
  // Exits even when a terminal's input is still being read.
  process.exit(await main(process.argv.slice(2)));
}
