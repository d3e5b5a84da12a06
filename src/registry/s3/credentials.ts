import { messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { type CredentialSource, type Credentials, type Environment, noCredentials } from './credential-source.ts';
import { containerCredentials, instanceCredentials } from './machine-credentials.ts';
import { profileCredentials } from './profile-credentials.ts';
import { type TokenService, webIdentityCredentials } from './token-service.ts';

/** Before they expire: when others are asked for, when those are waited for, and the pause between two questions. Milliseconds. */
const EARLY = 300_000;
const LATE = 60_000;
const PAUSE = 10_000;

/**
 * Where programs of Amazon's ecosystem find their credentials, in the same order: the variables `AWS_ACCESS_KEY_ID`, ...; a role for a
 * token (`AWS_WEB_IDENTITY_TOKEN_FILE`); the profile in the shared files; the container's role; the machine's role. Throws
 * NO_S3_CREDENTIALS at once when none of them can be.
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
export function findCredentials(env: Environment, region: string, log: Log): CredentialSource {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (id && secret) {
    const found = { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) };
    return async () => found;
  }
  if (id || secret) throw noCredentials('of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is missing');
  const service: TokenService = {
    endpoint: env['AWS_ENDPOINT_URL_STS'] ?? env['AWS_ENDPOINT_URL'] ?? tokenEndpoint(region),
    region,
  };
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role, AWS_ROLE_SESSION_NAME: session } = env;
  if (file && role) return renewed(webIdentityCredentials(service, { file, role, session }), log);
  const profile = profileCredentials(env, service, log);
  if (profile) return profile.isFixed ? profile.source : renewed(profile.source, log);
  const container = containerCredentials(env);
  if (container) return renewed(container, log);
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true')
    throw noCredentials('no credentials for the object store');
  const machine = instanceCredentials(env);
  return renewed(async () => {
    try {
      return await machine();
    } catch (error) {
      throw noCredentials(`no credentials for the object store: ${messageOf(error)}`);
    }
  }, log);
}

/** Keeps what a source gave until it is about to expire. While it holds, nobody fails because the source does. */
export function renewed(source: CredentialSource, log: Log): CredentialSource {
  let held: Credentials | undefined;
  let askedAt = 0;
  let asking: Promise<Credentials> | undefined;
  const ask = () => {
    askedAt = Date.now();
    asking ??= source()
      .then((found) => {
        held = found;
        return found;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  return async () => {
    const now = Date.now();
    const left = held ? (held.expires ?? Number.POSITIVE_INFINITY) - now : 0;
    if (held && (left > EARLY || (left > 0 && now - askedAt < PAUSE))) return held;
    const answer = ask();
    if (!held || left <= 0) return await answer;
    const current = held;
    const kept = answer.catch((error) => {
      log.warn('cannot renew the credentials for the object store', { error: messageOf(error) });
      return current;
    });
    return left > LATE ? current : await kept;
  };
}

function tokenEndpoint(region: string): string {
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}
