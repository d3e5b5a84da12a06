import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Failure, messageOf } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';

export type RemoteContext =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'dockerfile'; readonly text: Buffer };

const DOCKERFILE_LIMIT = 16 << 20;
const GIT_URL = /^(git:\/\/|git@|ssh:\/\/|github\.com\/)|^https?:\/\/[^#]*\.git(#|$)/;

/**
 * Brings a remote context: a git repository (`url#ref:folder`), a tar in any compression, or a text that is then the
 * Dockerfile. Git clones into `scratch`. https://docs.docker.com/build/concepts/context/#remote-context
 */
export async function fetchRemoteContext(
  url: string,
  scratch: string,
  options: { readonly signal: AbortSignal },
): Promise<RemoteContext> {
  if (GIT_URL.test(url)) return { kind: 'folder', folder: await cloneGit(url, scratch, options.signal) };
  if (!/^https?:\/\//.test(url))
    throw new Failure('invalid', 'REMOTE_INVALID', `cannot use "${url}" as a build context`, {
      hint: 'a folder, -, a http(s) URL or a git URL',
    });
  const response = await download(url, options.signal);
  const body = Readable.fromWeb(response.body as ReadableStream); // the global type and the one of node:stream/web are the same object
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('text/plain')) return { kind: 'tar', body };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > DOCKERFILE_LIMIT)
      throw new Failure('invalid', 'DOCKERFILE_TOO_LARGE', `${url} is over ${DOCKERFILE_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return { kind: 'dockerfile', text: Buffer.concat(chunks) };
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

async function cloneGit(url: string, scratch: string, signal: AbortSignal): Promise<string> {
  const [address = '', fragment = ''] = url.split('#', 2);
  const [ref = '', folder = ''] = fragment.split(':', 2);
  if (ref.startsWith('-') || folder.startsWith('-'))
    throw new Failure('invalid', 'GIT_REF_INVALID', `invalid git reference "${fragment}"`);
  const repository = address.startsWith('github.com/') ? `https://${address}` : address;
  const target = join(scratch, 'repository');
  const git = async (...args: string[]) => {
    const result = await runProgram('git', ['-c', 'protocol.ext.allow=never', '-c', 'core.symlinks=true', ...args], {
      signal,
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0' },
    });
    if (result.exitCode === 0) return;
    throw new Failure(
      'unavailable',
      'GIT_FAILED',
      `git cannot fetch ${withoutPassword(repository)}: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
    );
  };
  await git('init', '-q', target);
  await git('-C', target, 'fetch', '-q', '--depth', '1', '--', repository, ref === '' ? 'HEAD' : ref);
  await git('-C', target, 'checkout', '-q', 'FETCH_HEAD');
  await git('-C', target, 'submodule', 'update', '-q', '--init', '--recursive', '--depth', '1');
  if (folder === '') return target;
  const inside = join(target, folder);
  if (!existsSync(inside) || !`${realpathSync(inside)}/`.startsWith(`${realpathSync(target)}/`))
    throw new Failure('invalid', 'GIT_FOLDER_INVALID', `folder "${folder}" is not in ${withoutPassword(repository)}`);
  return inside;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
