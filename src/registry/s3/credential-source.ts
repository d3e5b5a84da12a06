import { Failure, messageOf } from '../../lib/error.ts';

/** Who signs requests. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Milliseconds since the epoch from which they hold no more; undefined: they hold until somebody changes them. */
  readonly expires?: number;
}

/** The credentials that hold now. Throws `unavailable` when they cannot be had. */
export type CredentialSource = () => Promise<Credentials>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Bytes of an answer with credentials: a session token has some kilobytes. */
const LIMIT = 256 << 10;

export interface CredentialRequest {
  readonly url: string;
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds. */
  readonly patience: number;
}

/** Asks a service that gives credentials; the text of its answer. Throws `unavailable` S3_CREDENTIALS, with what the service said. */
export async function askForCredentials(request: CredentialRequest): Promise<string> {
  const { url, method = 'GET', headers = {}, body, patience } = request;
  const signal = AbortSignal.timeout(patience);
  const options = { method, headers, signal, redirect: 'error' as const, ...(body !== undefined && { body }) };
  let status: number;
  let text = '';
  try {
    const answer = await fetch(url, options);
    status = answer.status;
    for await (const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += part;
      if (text.length > LIMIT) throw new Error('the answer is too long');
    }
  } catch (error) {
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw unavailable(url, signal.aborted ? `no answer within ${patience / 1000} s` : messageOf(reason), error);
  }
  if (status === 200) return text;
  throw unavailable(url, `status ${status} ${text.replace(/\s+/g, ' ').slice(0, 300)}`.trim());
}

/** Reads the document in which containers, machines and programs give credentials: they differ in the name of the token. */
export function readCredentials(text: string, from: string): Credentials {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw unavailable(from, 'what it gives is no JSON');
  }
  const entries = typeof document === 'object' && document !== null ? Object.entries(document) : [];
  const texts = new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  const [accessKeyId, secretAccessKey] = [texts.get('AccessKeyId'), texts.get('SecretAccessKey')];
  const sessionToken = texts.get('Token') ?? texts.get('SessionToken');
  if (!accessKeyId || !secretAccessKey)
    throw unavailable(from, `there are no keys in what it gives: ${texts.get('Code') ?? texts.get('message') ?? ''}`);
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }), ...expiry(texts.get('Expiration')) };
}

/** Of a time as it is told: `2026-11-22T06:00:00Z`. */
export function expiry(text: string | undefined): { readonly expires?: number } {
  const expires = Date.parse(text ?? '');
  return Number.isNaN(expires) ? {} : { expires };
}

/** The URL without its query, which may hold secrets. */
export function unavailable(from: string, reason: string, cause?: unknown): Failure {
  const place = from.replace(/\?.*/s, '');
  const detail = cause === undefined ? {} : { cause };
  return new Failure('unavailable', 'S3_CREDENTIALS', `cannot get credentials from ${place}: ${reason}`, detail);
}

export function noCredentials(message: string): Failure {
  return new Failure('unavailable', 'NO_S3_CREDENTIALS', message, {
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a file with AWS_SHARED_CREDENTIALS_FILE, or give the machine a role',
  });
}
