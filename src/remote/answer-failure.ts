import { type ErrorKind, Failure } from '../lib/error.ts';
import { discard, type HttpAnswer, readAll } from './http.ts';
import { RegistryBusy } from './retry.ts';

const BODY_LIMIT = 64 << 10;
const TEXT_LIMIT = 512;

/**
 * The failure that an answer other than the expected one tells, with the registry's own code and words when it has some:
 * `manifest unknown: manifest unknown`. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 */
export async function answerFailure(method: string, answer: HttpAnswer, signal: AbortSignal): Promise<Failure> {
  const { status, url } = answer;
  const told = method === 'HEAD' ? undefined : await readError(answer, signal);
  if (method === 'HEAD') discard(answer);
  // A token that lacks a right: logging in again would not help.
  if (status === 401 && /error="?insufficient_scope/.test(answer.headers['www-authenticate'] ?? ''))
    return new Failure('denied', 'DENIED', defaultWords(403, url));
  const shown = told?.text ?? defaultWords(status, url);
  if (status === 429 || status === 408 || status >= 500) return new RegistryBusy(shown, retryAfter(answer));
  return new Failure(kindOf(status), told?.code ?? defaultCode(status), shown);
}

async function readError(answer: HttpAnswer, signal: AbortSignal): Promise<{ code: string; text: string } | undefined> {
  try {
    const parsed: unknown = JSON.parse((await readAll(answer, BODY_LIMIT, signal)).toString('utf8'));
    const errors = (parsed as { errors?: { code?: unknown; message?: unknown }[] } | null)?.errors; // each field is checked below
    const first = Array.isArray(errors) ? errors[0] : undefined;
    if (typeof first?.code !== 'string' || !/^[A-Z0-9_]{1,64}$/.test(first.code)) return undefined;
    const message = typeof first.message === 'string' ? first.message.slice(0, TEXT_LIMIT) : '';
    return { code: first.code, text: `${first.code.toLowerCase().replaceAll('_', ' ')}: ${message}` };
  } catch {
    return undefined; // no JSON, or the connection broke: the status has to tell
  }
}

function kindOf(status: number): ErrorKind {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'denied';
  if (status === 404) return 'not-found';
  return status === 405 || status === 501 ? 'unsupported' : 'invalid';
}

function defaultCode(status: number): string {
  if (status === 401) return 'UNAUTHORIZED';
  if (status === 403) return 'DENIED';
  return status === 404 ? 'NOT_FOUND' : 'REGISTRY_ERROR';
}

function defaultWords(status: number, url: URL): string {
  if (status === 401) return 'unauthorized: authentication required';
  if (status === 403) return 'denied: requested access to the resource is denied';
  return `received unexpected HTTP status: ${status} from ${url.origin}${url.pathname}`;
}

function retryAfter(answer: HttpAnswer): number | undefined {
  const text = answer.headers['retry-after'];
  if (text === undefined) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) && wait > 0 ? wait : undefined;
}
