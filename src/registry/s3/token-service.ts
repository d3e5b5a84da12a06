import aws4 from 'aws4';
import { elements, textOf } from './answers.ts';
import {
  askForCredentials,
  type CredentialSource,
  type Credentials,
  expiry,
  unavailable,
} from './credential-source.ts';
import { readToken } from './machine-credentials.ts';

/** Gives credentials of roles. https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html */
export interface TokenService {
  readonly endpoint: string;
  readonly region: string;
}

export interface Role {
  /** ARN. */
  readonly role: string;
  /** What the role's use is called in logs; undefined: `strake-registry`. */
  readonly session: string | undefined;
}

const VERSION = '2011-06-15';
const PATIENCE = 10_000;

/** A role for whoever has a token of an identity provider, as Kubernetes puts it into a file. */
export function webIdentityCredentials(
  service: TokenService,
  { file, role, session }: Role & { readonly file: string },
): CredentialSource {
  return async () => {
    const form = formOf('AssumeRoleWithWebIdentity', { role, session }, { WebIdentityToken: readToken(file) });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const url = service.endpoint;
    return readRole(await askForCredentials({ url, method: 'POST', headers, body: form, patience: PATIENCE }), url);
  };
}

/** A role for whoever has other credentials. */
export function assumedRole(
  service: TokenService,
  { role, session, externalId }: Role & { readonly externalId: string | undefined },
  source: CredentialSource,
): CredentialSource {
  return async () => {
    const body = formOf('AssumeRole', { role, session }, externalId === undefined ? {} : { ExternalId: externalId });
    const { host, pathname } = new URL(service.endpoint);
    const headers = { host, 'content-type': 'application/x-www-form-urlencoded' };
    const { region } = service;
    const request = { service: 'sts', region, method: 'POST', path: pathname, headers, body };
    const signed = aws4.sign(request, { ...(await source()) });
    const sent = Object.fromEntries(Object.entries(signed.headers ?? {}).map(([name, value]) => [name, String(value)]));
    const url = service.endpoint;
    return readRole(await askForCredentials({ url, method: 'POST', headers: sent, body, patience: PATIENCE }), url);
  };
}

function formOf(action: string, { role, session = 'strake-registry' }: Role, more: Readonly<Record<string, string>>) {
  return new URLSearchParams({
    Action: action,
    Version: VERSION,
    RoleArn: role,
    RoleSessionName: session,
    ...more,
  }).toString();
}

function readRole(text: string, from: string): Credentials {
  const [found = ''] = elements(text, 'Credentials');
  const [accessKeyId, secretAccessKey] = [textOf(found, 'AccessKeyId'), textOf(found, 'SecretAccessKey')];
  const sessionToken = textOf(found, 'SessionToken');
  if (!accessKeyId || !secretAccessKey) throw unavailable(from, 'there are no keys in what it gives');
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    ...expiry(textOf(found, 'Expiration')),
  };
}
