import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { cloneGit } from '../../build/git/clone-git.ts';
import { isGitUrl, parseGitUrl } from '../../build/git/git-source.ts';
import { Failure, messageOf } from '../../lib/error.ts';
import { detectCompression } from '../../tar/compression.ts';

export type RemoteContext =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'dockerfile'; readonly text: Buffer };

export interface RemoteOptions {
  readonly keepGitDir: boolean;
  /** Hears of what was brought; `commit` when it is a repository. */
  readonly fetched: (url: string, commit?: string) => void;
  readonly signal: AbortSignal;
}

const DOCKERFILE_LIMIT = 16 << 20;
const HEAD_LENGTH = 512;

/**
 * Brings a remote context: a git repository (`url#ref:folder`), a tar in any compression, or a text that is then the
 * Dockerfile. Git clones into `scratch`. https://docs.docker.com/build/concepts/context/#remote-context
 */
export async function fetchRemoteContext(url: string, scratch: string, options: RemoteOptions): Promise<RemoteContext> {
  const named = url.startsWith('github.com/') ? `https://${url}` : url;
  if (named !== url || isGitUrl(named)) {
    const source = parseGitUrl(named);
    const keepGitDir = source.keepGitDir ?? options.keepGitDir;
    const cloned = await cloneGit(source, join(scratch, 'repository'), { keepGitDir, signal: options.signal });
    options.fetched(url, cloned.commit);
    return { kind: 'folder', folder: cloned.folder };
  }
  if (!/^https?:\/\//.test(url))
    throw new Failure('invalid', 'REMOTE_INVALID', `cannot use "${url}" as a build context`, {
      hint: 'a folder, -, a http(s) URL or a git URL',
    });
  const response = await download(url, options.signal);
  options.fetched(url);
  const body = Readable.fromWeb(response.body as ReadableStream); // the global type and the one of node:stream/web are the same object
  const type = response.headers.get('content-type') ?? '';
  const { head, all } = await withHead(body);
  const isText = type.startsWith('text/plain') || (detectCompression(head) === 'none' && !head.includes(0));
  return isText ? { kind: 'dockerfile', text: await textOf(all, url) } : { kind: 'tar', body: all };
}

/** The first bytes, as many as tell a text from a tar, whose header has zeros; and all of them. */
async function withHead(body: Readable): Promise<{ readonly head: Buffer; readonly all: Readable }> {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < HEAD_LENGTH) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const all = async function* () {
    if (head.length > 0) yield head;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  return { head, all: Readable.from(all(), { objectMode: false }) };
}

async function textOf(body: Readable, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > DOCKERFILE_LIMIT)
      throw new Failure('invalid', 'DOCKERFILE_TOO_LARGE', `${url} is over ${DOCKERFILE_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** GET with redirects; the body is not read yet. Errors name the URL without its credentials. */
export async function download(
  url: string,
  signal: AbortSignal,
): Promise<Response & { body: NonNullable<Response['body']> }> {
  let response: Response;
  try {
    response = await fetch(url, { signal, redirect: 'follow' });
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Failure(
      'unavailable',
      'DOWNLOAD_FAILED',
      `cannot download ${withoutPassword(url)}: ${messageOf(cause)}`,
      { cause: error },
    );
  }
  if (!response.ok || !response.body)
    throw new Failure(
      'unavailable',
      'DOWNLOAD_FAILED',
      `cannot download ${withoutPassword(url)}: status ${response.status} ${response.statusText}`,
    );
  return response as Response & { body: NonNullable<Response['body']> }; // checked in the line above
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
