import { realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';
import { withoutLogin } from '../../lib/url-password.ts';
import type { GitSource } from './git-source.ts';

const COMMIT = /^[0-9a-f]{7,64}$/;
/** A repository must not be able to start programs of its choice. */
const SETTINGS = ['-c', 'protocol.ext.allow=never', '-c', 'core.symlinks=true', '-c', 'core.hooksPath=/dev/null'];

/**
 * Brings the files of a repository to `target`, which does not exist yet, as shallow as its server allows, and returns the
 * commit and the folder that is meant: in `target`, also when links say otherwise. Without `keepGitDir` there is no `.git` in it.
 */
export async function cloneGit(
  source: GitSource,
  target: string,
  options: { readonly keepGitDir: boolean; readonly signal: AbortSignal },
): Promise<{ readonly folder: string; readonly commit: string }> {
  const { repository, ref = 'HEAD', folder, checksum } = source;
  const shown = withoutLogin(repository);
  const attempt = (...args: string[]) =>
    runProgram('git', [...SETTINGS, ...args], {
      signal: options.signal,
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0' },
    });
  const git = async (...args: string[]) => {
    const result = await attempt(...args);
    if (result.exitCode === 0) return result.stdout.trim();
    const why = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new Failure('unavailable', 'GIT_FAILED', `git cannot fetch ${shown}: ${why}`);
  };
  const inside = ['-C', target] as const;
  await git('init', '-q', target);
  await git(...inside, 'remote', 'add', '--', 'origin', repository);
  const shallow = await attempt(...inside, 'fetch', '-q', '--depth', '1', '--', 'origin', ref);
  if (shallow.exitCode === 0) await git(...inside, 'checkout', '-q', 'FETCH_HEAD');
  else if (COMMIT.test(ref)) {
    // Not every server gives a commit by its ID, and none by a part of it.
    await git(...inside, 'fetch', '-q', '--tags', '--', 'origin', '+refs/heads/*:refs/remotes/origin/*');
    await git(...inside, 'checkout', '-q', '--detach', ref, '--');
  } else {
    await git(...inside, 'fetch', '-q', '--', 'origin', ref);
    await git(...inside, 'checkout', '-q', 'FETCH_HEAD');
  }
  const commit = await git(...inside, 'rev-parse', 'HEAD');
  if (checksum !== undefined && !(COMMIT.test(checksum) && commit.startsWith(checksum)))
    throw new Failure('invalid', 'GIT_CHECKSUM', `expected checksum to match ${checksum}, got ${commit} of ${shown}`);
  if (source.submodules) await git(...inside, 'submodule', 'update', '-q', '--init', '--recursive', '--depth', '1');
  if (!options.keepGitDir) rmSync(join(target, '.git'), { recursive: true, force: true });
  return { folder: folderIn(target, folder, shown), commit };
}

function folderIn(target: string, folder: string, shown: string): string {
  const root = realpathSync(target);
  const path = join(target, folder);
  const real = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? realpathSync(path) : '';
  if (`${real}/`.startsWith(`${root}/`)) return real;
  throw new Failure('invalid', 'GIT_FOLDER_INVALID', `folder "${folder}" is not in ${shown}`);
}
