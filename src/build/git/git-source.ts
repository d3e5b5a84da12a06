import { Failure } from '../../lib/error.ts';
import { withoutLogin } from '../../lib/url-password.ts';

/** What a URL of a git repository names. */
export interface GitSource {
  readonly repository: string;
  /** Branch, tag or commit; undefined for what the repository says is its head. */
  readonly ref: string | undefined;
  /** Folder in the repository; empty for all of it. */
  readonly folder: string;
  /** The commit that it must be: its ID, or the first digits of it. */
  readonly checksum: string | undefined;
  /** Undefined when the URL does not tell. */
  readonly keepGitDir: boolean | undefined;
  readonly submodules: boolean;
}

const GIT_URL = /^(?:git:\/\/|ssh:\/\/|git@)|^https?:\/\/[^#?]*\.git(?:[#?]|$)/;
const QUERY = ['ref', 'branch', 'tag', 'commit', 'checksum', 'subdir', 'keep-git-dir', 'submodules'];

/** Whether a URL is that of a git repository, and not of a file. */
export function isGitUrl(url: string): boolean {
  return GIT_URL.test(url);
}

/**
 * Reads `<repository>#<ref>:<folder>`, or `<repository>?ref=<ref>&subdir=<folder>` with `branch`, `tag`, `checksum`,
 * `keep-git-dir` and `submodules`. https://docs.docker.com/build/concepts/context/#git-repositories
 */
export function parseGitUrl(url: string): GitSource {
  const [address = '', fragment = ''] = url.split(/#(.*)/s, 2);
  const [repository = '', search] = address.split(/\?(.*)/s, 2);
  const asked = search === undefined ? new URLSearchParams() : readQuery(search, url);
  const [ref = '', folder = ''] = fragment.split(/:(.*)/s, 2);
  if (fragment !== '' && [...asked.keys()].some((key) => ['ref', 'branch', 'tag', 'subdir'].includes(key)))
    throw invalid(url, 'it names a ref or folder twice, behind ? and behind #');
  const named = ref || asked.get('ref') || asked.get('branch') || asked.get('tag') || '';
  const source = {
    repository,
    ref: named || undefined,
    folder: folder || asked.get('subdir') || '',
    checksum: asked.get('checksum') ?? asked.get('commit') ?? undefined,
    keepGitDir: flag(asked, 'keep-git-dir'),
    submodules: flag(asked, 'submodules') ?? true,
  };
  for (const text of [source.ref ?? '', source.folder, repository])
    if (text.startsWith('-')) throw invalid(url, `"${text}" begins with -`);
  return source;
}

function readQuery(search: string, url: string): URLSearchParams {
  const asked = new URLSearchParams(search);
  const unknown = [...asked.keys()].find((key) => !QUERY.includes(key));
  if (unknown !== undefined) throw invalid(url, `unexpected query "${unknown}", known are ${QUERY.join(', ')}`);
  return asked;
}

function flag(asked: URLSearchParams, name: string): boolean | undefined {
  const value = asked.get(name);
  return value === null ? undefined : !['0', 'false'].includes(value);
}

function invalid(url: string, why: string): Failure {
  return new Failure('invalid', 'GIT_URL', `invalid git URL ${withoutLogin(url)}: ${why}`);
}
