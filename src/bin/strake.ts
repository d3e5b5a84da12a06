/** Entry of the `strake` command. */
import { main } from '../cli/main.ts';
import { siblingScript } from '../lib/sibling-script.ts';

process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  // The reader of our output left (`strake images | head -1`): nothing is left to do.
  if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0);
  process.stderr.write(`strake: ${error.stack ?? error.message}\n`);
  process.exit(1);
});

// Exits even when a terminal's input is still being read.
main(process.argv.slice(2), siblingScript(import.meta.url, 'host')).then((code) => process.exit(code));
