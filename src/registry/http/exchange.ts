import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../access.ts';
import { Refusal } from '../codes.ts';
import type { RepositoryName } from '../names.ts';

/** One request with its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly grant: Grant;
}

/** One about a repository. */
export interface RepositoryExchange extends Exchange {
  readonly repository: RepositoryName;
  /** What the path ends in: a tag, a digest, the identifier of an upload; empty where nothing follows. */
  readonly reference: string;
}

export type Headers = Readonly<Record<string, string | number>>;

const API_VERSION = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

/** Answers with a status, headers and at most a short body. */
export function answer(response: ServerResponse, status: number, headers: Headers, body?: Uint8Array | string): void {
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { ...API_VERSION, ...(body === undefined && NO_BODY(status)), ...length, ...headers });
  response.end(body);
}

/** Answers with the head of a body that the caller sends. */
export function answerHead(response: ServerResponse, status: number, headers: Headers): void {
  response.writeHead(status, { ...API_VERSION, ...headers });
}

export function answerJson(response: ServerResponse, status: number, value: unknown, headers: Headers = {}): void {
  answer(response, status, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(value));
}

const NO_BODY = (status: number): Headers => (status === 204 || status === 304 ? {} : { 'Content-Length': 0 });

const SUFFIX = /^(?:0|[1-9]\d{0,14})$/;

/** `n` and `last` of a list. `most`: what is given at once at most. Throws PAGINATION_NUMBER_INVALID. */
export function pageOf(query: URLSearchParams, most: number): { readonly last: string; readonly limit: number } {
  const text = query.get('n');
  if (text !== null && !SUFFIX.test(text))
    throw new Refusal('PAGINATION_NUMBER_INVALID', { detail: { n: text.slice(0, 40) } });
  return { last: query.get('last') ?? '', limit: text === null ? most : Math.min(Number(text), most) };
}

/** The page to show of a list that was asked for one entry more than that, and the link to the next one. */
export function cutPage<T>(
  path: string,
  page: { readonly limit: number },
  entries: readonly T[],
  nameOf: (entry: T) => string,
  query: Readonly<Record<string, string>> = {},
): { readonly shown: readonly T[]; readonly headers: Headers } {
  const shown = entries.slice(0, page.limit);
  const last = shown.at(-1);
  if (entries.length <= page.limit || last === undefined) return { shown, headers: {} };
  const next = new URLSearchParams({ last: nameOf(last), n: String(page.limit), ...query });
  return { shown, headers: { Link: `<${path}?${next}>; rel="next"` } };
}
