/** Milliseconds after which a process has loaded what it needs. */
const LOADED = 500;

/** Runs the command line of this process by `main`, and ends the process with its exit code. */
export async function runProcess(main: (argv: readonly string[]) => Promise<number>): Promise<void> {
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    // The reader of our output left (`strake images | head -1`): nothing is left to do.
    if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0);
    process.stderr.write(`strake: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
  setTimeout(compileHere, LOADED).unref();
  // Exits even when a terminal's input is still being read.
  process.exit(await main(process.argv.slice(2)));
}

/**
 * Takes from other threads what they compile and make on the heap: an exit waits for these threads, which may just wait for room
 * that the exiting thread makes no more (https://github.com/nodejs/node/issues/54918). A heap is short of room in processes that move much
 * data, not in those that end at once; and what Node keeps of its own modules can be loaded only with the flags it began with.
 */
function compileHere(): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--no-maglev');
  setFlagsFromString('--no-concurrent-sparkplug');
}
