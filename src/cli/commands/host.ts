import { becomeProgram } from '../client/become-program.ts';
import { HOST_NODE_FLAGS } from '../client/host-environment.ts';
import type { Command } from '../command.ts';

/** Becomes the host: same process, other program. It reads its own flags and prints its own help. */
export const host: Command = {
  short: 'Run the host in the foreground',
  async help() {
    return "Usage:  strake host [OPTIONS]\n\nRun the host in the foreground\n\nRun 'strake host --help' for its options\n";
  },
  async execute(session, _path, argv) {
    const { endpoint, dataRoot, dataRootChosen, chosenByFlag } = session.choice;
    const args = [
      ...(chosenByFlag ? ['--host', endpoint.text] : []),
      ...(dataRootChosen ? ['--data-root', dataRoot] : []),
      ...argv,
    ];
    return becomeProgram({ script: session.hostScript, args, env: session.env, flags: HOST_NODE_FLAGS });
  },
};
