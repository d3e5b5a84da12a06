import { decodeUrlPart } from './decode-url.ts';
import { cancelled, Failure, messageOf } from './error.ts';
import { withoutLogin } from './url-password.ts';

export interface HttpGetOptions {
  /** Begins the message of a failure, the URL follows: `cannot download`. */
  readonly failed: string;
  readonly code: string;
  readonly signal: AbortSignal;
}

/**
 * GET of an http or https URL: redirects are followed, to such URLs only, and the body, not read yet, comes as the server has
 * it. User and password of the URL are sent (Basic authentication) and never told. Throws `not-found` for the status 404, else
 * `unavailable`.
 */
export async function httpGet(
  url: string,
  { failed, code, signal }: HttpGetOptions,
): Promise<Response & { readonly body: ReadableStream<Uint8Array> }> {
  const shown = withoutLogin(url);
  const bare = new URL(url);
  const login = [bare.username, bare.password].map(decodeUrlPart).join(':');
  bare.username = bare.password = ''; // fetch takes no URL with them
  const authorization = login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  let response: Response;
  try {
    response = await fetch(bare, { signal, headers: { ...authorization, 'accept-encoding': 'identity' } });
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Failure('unavailable', code, `${failed} ${shown}: ${messageOf(cause)}`, { cause: error });
  }
  if (response.ok && response.body) return response as typeof response & { body: ReadableStream<Uint8Array> }; // checked just now
  await response.body?.cancel();
  const kind = response.status === 404 ? 'not-found' : 'unavailable';
  const status = `${response.status} ${response.statusText}`.trim();
  throw new Failure(kind, code, `${failed} ${shown} with status ${status}`);
}
