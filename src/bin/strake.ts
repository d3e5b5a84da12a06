/** Entry of the `strake` command. */
import { loadCommand } from './compiled-command.ts';

loadCommand(import.meta.dirname, process.argv).command.runProcess();
