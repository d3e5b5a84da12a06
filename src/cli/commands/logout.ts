import { defineCommand } from '../command.ts';
import { credentialKey } from '../credentials/registry-auth.ts';
import { eraseCredentials, loadCredentials } from '../credentials/store.ts';

export const logout = defineCommand({
  short: 'Log out from a registry',
  usage: '[SERVER]',
  count: [0, 1],
  flags: {},
  async run(session, { args: [server = ''] }) {
    const key = credentialKey(server);
    if (!(await loadCredentials(key, session))) {
      session.stdout.write(`Not logged in to ${key}\n`);
      return 0;
    }
    session.stdout.write(`Removing login credentials for ${key}\n`);
    await eraseCredentials(key, session);
    return 0;
  },
});
