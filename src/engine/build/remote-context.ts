import { join } from 'node:path';
import { Readable } from 'node:stream';
import { cloneGit } from '../../build/git/clone-git.ts';
import { isGitUrl, parseGitUrl } from '../../build/git/git-source.ts';
import { peekBytes } from '../../lib/byte-stream.ts';
import { Failure } from '../../lib/error.ts';
import { httpGet } from '../../lib/http-get.ts';
import { withoutLogin } from '../../lib/url-password.ts';
import { detectCompression } from '../../tar/compression.ts';
import { gatherDockerfile } from './dockerfile-source.ts';

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
  const response = await httpGet(url, { failed: 'cannot download', code: 'DOWNLOAD_FAILED', signal: options.signal });
  options.fetched(url);
  const type = response.headers.get('content-type') ?? '';
  // As many bytes as tell a text from a tar, whose header has zeros.
  const { head, rest } = await peekBytes(Readable.fromWeb(response.body), HEAD_LENGTH);
  const isText = type.startsWith('text/plain') || (detectCompression(head) === 'none' && !head.includes(0));
  if (isText) return { kind: 'dockerfile', text: await gatherDockerfile(rest, withoutLogin(url)) };
  return { kind: 'tar', body: Readable.from(rest, { objectMode: false }) };
}
