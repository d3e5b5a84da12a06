import { Trouble } from './trouble.ts';

const KEY = 'strake-explorer-key';
let authorization: string | undefined;

/**
 * The key that came with the address, or that an earlier page of this origin kept. It ends with the explorer that made
 * it. Returns the rest of the address.
 */
export function takeKey(fragment: string): string {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const key = given.get('key');
  if (key !== null) localStorage.setItem(KEY, key);
  const known = localStorage.getItem(KEY);
  if (known !== null) authorization = `Bearer ${known}`;
  return key === null ? fragment.replace(/^#/, '') : (given.get('at') ?? '/');
}

/** From now on questions are asked with this header. */
export function authorize(header: string | undefined): void {
  authorization = header;
}

/**
 * Asks whoever serves the page. Browsers add nothing of their own: no cookie, no remembered password, no dialog for one.
 * Throws `Trouble` for refusals and when nobody answers.
 */
export async function ask(
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const all = authorization === undefined ? headers : { Authorization: authorization, ...headers };
  const options = { headers: all, signal, credentials: 'omit', cache: 'no-store', redirect: 'manual' } as const;
  const response = await fetch(path, options).catch((error: unknown) => {
    throw signal.aborted ? error : gone(error);
  });
  if (response.ok) return response;
  if (response.type === 'opaqueredirect')
    throw new Trouble('this is kept in a store of its own, which this page may not ask', { status: 403 });
  throw await refusal(response);
}

/** The type is the API's promise. */
export async function askJson<T>(
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> {
  return (await (await ask(path, signal, headers)).json()) as T;
}

/** Objects of an answer that has one a line. The type is the API's promise. */
export async function* askLines<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
  const { body } = await ask(path, signal);
  if (!body) return;
  let rest = '';
  try {
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as T;
    }
  } catch (error) {
    throw signal.aborted ? error : gone(error);
  }
}

/** At most `limit` bytes from the start of an answer, and whether that is all of it. */
export async function askStart(
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const { body } = await ask(path, signal);
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    // What is left when the loop is left is not asked for any more.
    if (body)
      for await (const piece of body) {
        pieces.push(piece);
        length += piece.length;
        if (length > limit) break;
      }
  } catch (error) {
    throw signal.aborted ? error : gone(error);
  }
  const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()); // pieces of an answer are in no shared memory
  return { bytes: bytes.subarray(0, limit), isWhole: length <= limit };
}

function gone(cause: unknown): Trouble {
  const trouble = new Trouble('whoever serves this page does not answer', {
    status: 0,
    hint: 'start it again; when its address is another one then, open that',
  });
  trouble.cause = cause;
  return trouble;
}

const MESSAGE_LIMIT = 2_000;

async function refusal(response: Response): Promise<Trouble> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const said = messageIn(text);
  const message = said?.message ?? (text.slice(0, MESSAGE_LIMIT) || `the answer was ${status} ${response.statusText}`);
  const detail = { status, code: said?.code, hint: said?.hint };
  return new Trouble(message, { ...detail, challenge: headers.get('www-authenticate') ?? undefined });
}

/** What went wrong, as the explorer says it and as registries do. */
function messageIn(text: string): { message: string; code?: string; hint?: string } | undefined {
  try {
    const body = JSON.parse(text) as {
      message?: string;
      code?: string;
      hint?: string;
      errors?: { message: string; code: string }[];
    };
    const { message, code, hint } = { ...body, ...body.errors?.[0] };
    if (typeof message === 'string')
      return { message, ...(code !== undefined && { code }), ...(hint !== undefined && { hint }) };
  } catch {
    // no JSON: the caller shows the text
  }
  return undefined;
}
