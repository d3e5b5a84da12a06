import { fileURLToPath } from 'node:url';
import { HOST_NODE_FLAGS, hostEnvironment } from '../client/host-environment.ts';
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
      fileURLToPath(session.hostScript),
      ...(chosenByFlag ? ['--host', endpoint.text] : []),
      ...(dataRootChosen ? ['--data-root', dataRoot] : []),
      ...argv,
    ];
    const node = [process.execPath, ...HOST_NODE_FLAGS, '--'];
    process.execve?.(process.execPath, [...node, ...args], stringsOf(hostEnvironment(session.env)));
    return 1; // not reached: execve does not come back
  },
};

function stringsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}
