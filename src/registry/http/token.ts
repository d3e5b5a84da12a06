import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenServer } from '../access.ts';
import { Refusal } from '../codes.ts';
import { answerJson } from './exchange.ts';
import { readBounded } from './read-bounded.ts';

const FORM_LIMIT = 64 << 10;

/** The token server: GET with the password in the header, POST with it in a form. */
export async function answerToken(
  tokens: TokenServer,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  if (request.method === 'GET') {
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
    return send(response, await tokens.answer(request.headers.authorization, scopes));
  }
  if (request.method !== 'POST') throw new Refusal('UNSUPPORTED', { headers: { Allow: 'GET, POST' } });
  const bytes = await readBounded(request, FORM_LIMIT);
  if (!bytes) throw new Refusal('SIZE_INVALID', { message: 'the form is too large', status: 413 });
  const form = new URLSearchParams(bytes.toString());
  if (form.get('grant_type') !== 'password')
    throw new Refusal('UNSUPPORTED', { message: 'only the grant type "password" is known', status: 400 });
  const credentials = Buffer.from(`${form.get('username') ?? ''}:${form.get('password') ?? ''}`).toString('base64');
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  send(response, await tokens.answer(`Basic ${credentials}`, scopes));
}

function send(response: ServerResponse, answer: unknown): void {
  answerJson(response, 200, answer, { 'Cache-Control': 'no-store' });
}
