/** Entry of the `strake` command. */
import { main } from '../cli/main.ts';
import { siblingScript } from '../lib/sibling-script.ts';

for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of our output left (`strake images | head -1`): nothing is left to do.
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });

// Exits even when a terminal's input is still being read.
main(process.argv.slice(2), siblingScript(import.meta.url, 'host')).then((code) => process.exit(code));
