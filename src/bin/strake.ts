/** Entry of the `strake` command. */
import { loadCommand } from './compiled-command.ts';
import { runProcess } from './run-process.ts';

runProcess(loadCommand(import.meta.dirname, process.argv.slice(2)).runCommand);
