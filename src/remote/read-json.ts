import { Failure } from '../lib/error.ts';
import { type HttpAnswer, readAll } from './http.ts';

/** A body that is a JSON object of at most `limit` bytes; `unavailable` ANSWER_INVALID when it is something else. */
export async function readJson(
  answer: HttpAnswer,
  limit: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readAll(answer, limit, signal);
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>; // checked on this line
  } catch {
    // told below
  }
  throw new Failure(
    'unavailable',
    'ANSWER_INVALID',
    `${answer.url.origin}${answer.url.pathname} did not answer with JSON`,
  );
}
