import type { PathStat } from '../../wire/container-details.ts';
import type { Answer, EngineClient } from '../client/engine-client.ts';

const FOLDER = 2 ** 31;
const LINK = 2 ** 27;

/** What is at a path of a container. */
export async function statInContainer(
  client: EngineClient,
  container: string,
  path: string,
  signal: AbortSignal,
): Promise<PathStat> {
  const answer = await client.request('HEAD', archiveOf(container), { query: { path }, signal });
  for await (const _ of answer.body);
  return readPathStat(answer);
}

/** The header that comes with every archive. */
export function readPathStat({ headers }: Answer): PathStat {
  const text = Buffer.from(headers.get('x-docker-container-path-stat') ?? '', 'base64').toString('utf8');
  return JSON.parse(text) as PathStat; // the API's promise, as for every client of it
}

export function isFolder({ mode }: PathStat): boolean {
  return Math.floor(mode / FOLDER) % 2 === 1;
}

export function isLink({ mode }: PathStat): boolean {
  return Math.floor(mode / LINK) % 2 === 1;
}

export function archiveOf(container: string): string {
  return `/containers/${encodeURIComponent(container)}/archive`;
}
