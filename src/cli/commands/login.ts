import { Failure, isFailure } from '../../lib/error.ts';
import { printable } from '../../lib/printable.ts';
import { defineCommand } from '../command.ts';
import { dockerConfigPath } from '../credentials/docker-config.ts';
import { authConfig, credentialKey } from '../credentials/registry-auth.ts';
import { type Credentials, loadCredentials, saveCredentials } from '../credentials/store.ts';
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
    const key = credentialKey(server);
    const isBare = flags.username === '' && flags.password === '' && !flags.passwordStdin;
    const existing = isBare ? await loadCredentials(key, session) : undefined;
    if (existing && (await loginAgain(session, key, existing))) return 0;
    const username = flags.username || (await ask(session, 'Username: ', { hidden: false }));
    const secret = await passwordOf(session, flags);
    if (username === '' || secret === '')
      throw new Failure('invalid', 'CREDENTIALS_MISSING', 'user name and password must not be empty');

    await loginWith(session, key, { username, secret, kind: 'password' });
    return 0;
  },
});

/** Has the host try credentials with their registry, and keeps what it says to keep. */
async function loginWith(
  session: Session,
  key: string,
  credentials: Credentials,
  wasKept?: 'kept before',
): Promise<void> {
  const client = await session.client();
  const answer = await client.json<{ Status: string; IdentityToken?: string }>('POST', '/auth', {
    json: authConfig(key, credentials),
    signal: session.signal,
  });
  const kept: Credentials = answer.IdentityToken
    ? { ...credentials, secret: answer.IdentityToken, kind: 'token' }
    : credentials;
  const helper = await saveCredentials(key, kept, session);
  if (helper === undefined && wasKept !== 'kept before')
    session.stderr.write(
      `\nWARNING! Your credentials are stored unencrypted in '${dockerConfigPath(session.env)}'.\n` +
        'Configure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n',
    );
  session.stdout.write(`${answer.Status}\n`);
}

/** Tries what is kept already; false when the registry refuses it and a person can be asked. */
async function loginAgain(session: Session, key: string, credentials: Credentials): Promise<boolean> {
  const who = credentials.username === '' ? '' : ` [Username: ${printable(credentials.username)}]`;
  session.stdout.write(`Authenticating with existing credentials...${who}\n`);
  try {
    await loginWith(session, key, credentials, 'kept before');
    return true;
  } catch (error) {
    if (!isFailure(error, 'unauthenticated') || !session.stdin.isTTY) throw error;
    session.stderr.write(`Login did not succeed, error: ${error.message}\n`);
    return false;
  }
}

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
