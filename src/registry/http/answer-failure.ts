import type { ServerResponse } from 'node:http';
import { discardBody } from '../../lib/discard-body.ts';
import { isFailure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { Refusal } from '../codes.ts';
import { answerHead, answerJson } from './exchange.ts';

/**
 * Answers with what went wrong, in the form that every client of registries knows. Resolves when the client has had its chance to read
 * it: what still comes of a body is read and dropped, within bounds.
 */
export async function answerFailure(response: ServerResponse, error: unknown, log: Log): Promise<void> {
  const refusal = error instanceof Refusal ? error : unexpected(error);
  if (refusal.status >= 500 && !response.destroyed) log.error('request failed', { error: describe(error) });
  if (response.headersSent || response.destroyed) {
    response.destroy(); // a body that ends early is the only sign left
    return;
  }
  const { code, message, detail, status, headers } = refusal;
  const body = { errors: [{ code, message, ...(detail !== undefined && { detail }) }] };
  if (response.req.complete) return answerJson(response, status, body, headers);
  // The rest of a body that nobody reads must not be taken for the next request.
  const bytes = Buffer.from(JSON.stringify(body));
  const own = { 'Content-Type': 'application/json', 'Content-Length': bytes.length, Connection: 'close' };
  answerHead(response, status, { ...own, ...headers });
  response.write(bytes);
  await discardBody(response.req);
  response.end();
}

function unexpected(error: unknown): Refusal {
  // Which store is full or does not answer is for the operator to know, who finds it in the log.
  if (isFailure(error, 'exhausted')) return new Refusal('UNKNOWN', { message: 'no space left', status: 507 });
  if (isFailure(error, 'unavailable')) return new Refusal('UNAVAILABLE', { headers: { 'Retry-After': '5' } });
  if (isFailure(error)) return new Refusal('UNKNOWN', { message: error.message });
  return new Refusal('UNKNOWN');
}

function describe(error: unknown): string {
  return error instanceof Error && !isFailure(error) ? (error.stack ?? error.message) : messageOf(error);
}
