import { Failure } from '../../lib/error.ts';
import { defineCommand } from '../command.ts';
import { dockerConfigPath } from '../credentials/docker-config.ts';
import { authConfig, credentialKey } from '../credentials/registry-auth.ts';
import { saveCredentials, TOKEN_USER } from '../credentials/store.ts';
import { text, toggle } from '../flags/flag.ts';
import type { Session } from '../session.ts';
import { ask } from '../terminal/ask.ts';

export const login = defineCommand({
  short: 'Log in to a registry',
  usage: '[SERVER]',
  count: [0, 1],
  flags: {
    password: text('Password or access token', { short: 'p' }),
    passwordStdin: toggle('Read the password from stdin'),
    username: text('User name', { short: 'u' }),
  },
  async run(session, { flags, args: [server = ''] }) {
    if (flags.password !== '' && flags.passwordStdin)
      throw new Failure(
        'invalid',
        'PASSWORD_TWICE',
        'conflicting options: cannot specify both --password and --password-stdin',
      );
    if (flags.passwordStdin && flags.username === '')
      throw new Failure('invalid', 'USERNAME_MISSING', 'the --password-stdin option requires --username to be set');
    if (flags.password !== '')
      session.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    const username = flags.username || (await ask(session, 'Username: ', { hidden: false }));
    const secret = await passwordOf(session, flags);
    if (username === '' || secret === '')
      throw new Failure('invalid', 'CREDENTIALS_MISSING', 'user name and password must not be empty');

    const key = credentialKey(server);
    const client = await session.client();
    const answer = await client.json<{ Status: string; IdentityToken?: string }>('POST', '/auth', {
      json: authConfig(key, { username, secret }),
      signal: session.signal,
    });
    const kept = answer.IdentityToken ? { username: TOKEN_USER, secret: answer.IdentityToken } : { username, secret };
    const helper = await saveCredentials(key, kept, session);
    if (helper === undefined)
      session.stderr.write(
        `\nWARNING! Your credentials are stored unencrypted in '${dockerConfigPath(session.env)}'.\n\n`,
      );
    session.stdout.write(`${answer.Status}\n`);
    return 0;
  },
});

async function passwordOf(session: Session, flags: { password: string; passwordStdin: boolean }): Promise<string> {
  if (flags.password !== '') return flags.password;
  if (!flags.passwordStdin) return await ask(session, 'Password: ', { hidden: true });
  let password = '';
  for await (const chunk of session.stdin) {
    password += chunk;
    if (password.length > 1 << 16) throw new Failure('invalid', 'PASSWORD_LENGTH', 'the password is too long');
  }
  return password.replace(/\r?\n$/, '');
}
