import { NO_HOST_FLAGS } from './client/host-choice.ts';
import type { Command } from './command.ts';
import { exec } from './commands/exec.ts';
import { run } from './commands/run.ts';
import { openSession } from './open-session.ts';
import { report } from './report.ts';

const COMMANDS: Readonly<Record<string, Command>> = { run, exec };

/** Does what `main` does for a command line that begins with `run` or `exec`, and holds nothing of other commands. */
export async function quickMain([name = '', ...argv]: readonly string[], hostScript: URL): Promise<number> {
  try {
    const command = COMMANDS[name];
    if (command === undefined) throw new TypeError(`${name} is not a quick command`);
    return await command.execute(openSession(NO_HOST_FLAGS, hostScript), name, argv);
  } catch (error) {
    return report(error, false);
  }
}
