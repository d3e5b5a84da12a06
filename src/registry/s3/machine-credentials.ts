import { readFileSync } from 'node:fs';
import { messageOf } from '../../lib/error.ts';
import {
  askForCredentials,
  type CredentialSource,
  type Environment,
  readCredentials,
  unavailable,
} from './credential-source.ts';

const CONTAINER_HOST = 'http://169.254.170.2';
/** Where credentials may be asked for without TLS: at this machine, and at the addresses of ECS and EKS. */
const PLAIN_HOSTS = /^(?:localhost|127(?:\.\d+){3}|\[::1\]|169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\])$/;
const PATIENCE = 5_000;
/** The machine's own service answers at once, or is not there. */
const INSTANCE_PATIENCE = 2_000;
const TOKEN_SECONDS = 300;

/**
 * The role of a container of ECS or EKS; undefined when there is none.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
export function containerCredentials(env: Environment): CredentialSource | undefined {
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const full = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  const url = relative ? CONTAINER_HOST + relative : full;
  if (!url) return undefined;
  return async () => {
    const place = URL.canParse(url) ? new URL(url) : undefined;
    const isAllowed = place?.protocol === 'https:' || (place?.protocol === 'http:' && PLAIN_HOSTS.test(place.hostname));
    if (!isAllowed) throw unavailable(url, 'expected https://..., or http:// of this machine');
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file, AWS_CONTAINER_AUTHORIZATION_TOKEN: given } = env;
    const authorization = file ? readToken(file) : given;
    const headers = authorization ? { authorization } : {};
    return readCredentials(await askForCredentials({ url, headers, patience: PATIENCE }), url);
  };
}

/**
 * The role of a machine of EC2, by the second version of its metadata service.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
export function instanceCredentials(env: Environment): CredentialSource {
  const isV6 = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6';
  const own = isV6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254';
  const endpoint = (env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || own).replace(/\/$/, '');
  const roles = `${endpoint}/latest/meta-data/iam/security-credentials/`;
  return async () => {
    const patience = INSTANCE_PATIENCE;
    const lifetime = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) };
    const asking = { url: `${endpoint}/latest/api/token`, method: 'PUT', headers: lifetime, patience } as const;
    const headers = { 'x-aws-ec2-metadata-token': (await askForCredentials(asking)).trim() };
    const [role = ''] = (await askForCredentials({ url: roles, headers, patience })).trim().split('\n');
    if (role === '') throw unavailable(roles, 'the machine has no role');
    const url = roles + encodeURIComponent(role.trim());
    return readCredentials(await askForCredentials({ url, headers, patience }), url);
  };
}

/** The one line of a file with a token, which others replace before it expires. */
export function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw unavailable(path, messageOf(error), error);
  }
  if (token === '' || /[\r\n]/.test(token)) throw unavailable(path, 'expected one line with a token');
  return token;
}
