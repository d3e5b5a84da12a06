import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenServer } from '../access.ts';
import { Refusal } from '../codes.ts';
import { answerJson } from './exchange.ts';
import { readBounded } from './request-body.ts';

const FORM_LIMIT = 64 << 10;

/** The token server: GET with the password in the header, POST with it, or with a refresh token, in a form. */
export async function answerToken(
  tokens: TokenServer,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  if (request.method === 'GET') {
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
    const offline = query.get('offline_token') === 'true';
    return send(response, await tokens.answer(request.headers.authorization, scopes, { offline }));
  }
  if (request.method !== 'POST') throw new Refusal('UNSUPPORTED', { headers: { Allow: 'GET, POST' } });
  const bytes = await readBounded(request, response, FORM_LIMIT);
  if (!bytes) throw new Refusal('SIZE_INVALID', { message: 'the form is too large', status: 413 });
  const form = new URLSearchParams(bytes.toString());
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  switch (form.get('grant_type')) {
    case 'password': {
      const credentials = Buffer.from(`${form.get('username') ?? ''}:${form.get('password') ?? ''}`).toString('base64');
      const offline = form.get('access_type') === 'offline';
      return send(response, await tokens.answer(`Basic ${credentials}`, scopes, { offline }));
    }
    case 'refresh_token':
      return send(response, tokens.refresh(form.get('refresh_token') ?? '', scopes));
    default:
      throw new Refusal('UNSUPPORTED', {
        message: 'only the grant types "password" and "refresh_token" are known',
        status: 400,
      });
  }
}

function send(response: ServerResponse, answer: unknown): void {
  answerJson(response, 200, answer, { 'Cache-Control': 'no-store' });
}
