import { Failure } from '../../lib/error.ts';
import type { Session } from '../session.ts';
import type { EngineClient, Query } from './engine-client.ts';
import { readJsonLines } from './json-lines.ts';

/** Connects to the host for something that only a Strake host can do: Docker hosts have no index of their layers. */
export async function strakeHost(session: Session): Promise<EngineClient> {
  const client = await session.client();
  if (client.strakeVersion === undefined)
    throw new Failure(
      'unsupported',
      'STRAKE_HOST_NEEDED',
      `the host at ${client.endpoint.text} is a Docker host: this needs one of Strake`,
    );
  return client;
}

/** Path of a route of Strake's own about an image. */
export function imageRoute(image: string, what: string): string {
  return `/strake/images/${image.split('/').map(encodeURIComponent).join('/')}/${what}`;
}

/** The rows that such a route answers. The type is the API's promise. */
export async function* insightRows<T>(session: Session, path: string, query: Query): AsyncGenerator<T> {
  const client = await strakeHost(session);
  const answer = await client.request('GET', path, { query, signal: session.signal });
  yield* readJsonLines<T>(answer.body);
}
