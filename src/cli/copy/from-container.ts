import { existsSync, realpathSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';
import { unpackFolder } from '../build/unpack-folder.ts';
import type { EngineClient } from '../client/engine-client.ts';
import { type Session, writeAll } from '../session.ts';
import { absolutePath, type CopyEnd, planCopy, renameEntry, splitPath, withEnding } from './copy-paths.ts';
import { archiveOf, isFolder, isLink, readPathStat, statInContainer } from './path-stat.ts';
import type { CopyOptions } from './to-container.ts';

/** Copies a path of a container to this machine; to stdout as a tar when `destination` is `-`. */
export async function copyFromContainer(
  session: Session,
  from: { readonly container: string; readonly path: string },
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const { signal } = session;
  const target = destination === '-' ? undefined : absolutePath(destination, process.cwd());
  if (target !== undefined && !existsSync(posix.dirname(posix.resolve(target))))
    throw new Failure(
      'not-found',
      'NO_SUCH_FOLDER',
      `invalid output path: directory "${posix.dirname(posix.resolve(target))}" does not exist`,
    );
  if (target === undefined && session.stdout.isTTY === true)
    throw new Failure('invalid', 'TERMINAL', 'refusing to write an archive to a terminal: redirect it');
  const client = await session.client();
  const path = options.followLink ? await followed(client, from, signal) : from.path;
  const answer = await client.request('GET', archiveOf(from.container), { query: { path }, signal });
  if (target === undefined) {
    for await (const chunk of answer.body) await writeAll(session.stdout, chunk);
    return;
  }
  const stat = readPathStat(answer);
  // Links on the way are the archive's own name; a link that was followed is called as the user called it.
  const [packed, asked] = [splitPath(path).base, splitPath(from.path).base];
  const source = { path: from.path, base: asked, exists: true, isFolder: isFolder(stat) };
  try {
    const { folder, rename } = planCopy(source, localEnd(target));
    await unpackFolder(answer.body, folder, {
      rename: (name) => rename(renameEntry(name, packed, asked)).replace(/^\/+/, ''),
      owners: options.archive,
    });
  } catch (error) {
    answer.close();
    throw error;
  }
}

/** Where the link at a path of a container leads. What is no link, or not there, stays. */
async function followed(
  client: EngineClient,
  { container, path }: { readonly container: string; readonly path: string },
  signal: AbortSignal,
): Promise<string> {
  const stat = await statInContainer(client, container, path, signal).catch((error: unknown) => {
    if (error instanceof Failure && error.kind === 'not-found') return undefined; // the request that follows says it
    throw error;
  });
  return stat && isLink(stat) ? withEnding(posix.resolve(posix.dirname(path), stat.linkTarget), path) : path;
}

/** The destination, with links followed. A folder that it would be in must be there. */
function localEnd(path: string): CopyEnd {
  try {
    const stat = statSync(path);
    return { path: withEnding(realpathSync(path), path), exists: true, isFolder: stat.isDirectory() };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOTDIR') throw new Failure('invalid', 'NOT_A_FOLDER', 'not a directory');
    if (code !== 'ENOENT') throw error;
    return { path, exists: false, isFolder: false };
  }
}
