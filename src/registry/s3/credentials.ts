import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { watchFile } from '../auth/watched-file.ts';

/** Who signs requests. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The credentials that hold now: of the standard variables (`AWS_ACCESS_KEY_ID`, ...), else of the shared file, which is read again
 * when it has changed. https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
export function findCredentials(env: Environment, log: Log): () => Credentials {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (id && secret) {
    const found = { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) };
    return () => found;
  }
  const path = env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(env['HOME'] ?? homedir(), '.aws/credentials');
  const profile = env['AWS_PROFILE'] ?? 'default';
  const parse = (text: string) => {
    const found = readProfile(text, profile);
    if (found) return found;
    throw noCredentials(`${path} has no keys of the profile "${profile}"`);
  };
  try {
    const file = watchFile(path, parse, log);
    return () => file().value;
  } catch (error) {
    if (id || secret) throw noCredentials('of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is missing');
    throw noCredentials(`no credentials for the object store: ${messageOf(error)}`);
  }
}

/** The keys of a profile in the shared file. Undefined when one of them is not there. */
export function readProfile(text: string, profile: string): Credentials | undefined {
  const found = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (heading !== undefined) section = heading.trim();
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (section === profile && name !== undefined && value !== undefined) found.set(name, value);
  }
  const [accessKeyId, secretAccessKey] = [found.get('aws_access_key_id'), found.get('aws_secret_access_key')];
  const sessionToken = found.get('aws_session_token');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

function noCredentials(message: string): Failure {
  return new Failure('unauthenticated', 'NO_S3_CREDENTIALS', message, {
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with AWS_SHARED_CREDENTIALS_FILE',
  });
}
