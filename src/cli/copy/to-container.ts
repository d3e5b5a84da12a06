import { lstatSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import { type EngineClient, isNotFound } from '../client/engine-client.ts';
import type { Session } from '../session.ts';
import { systemMessage } from '../system-message.ts';
import { absolutePath, type CopyEnd, type CopySource, planCopy, splitPath, withEnding } from './copy-paths.ts';
import { localTar } from './local-tar.ts';
import { archiveOf, isFolder, isLink, statInContainer } from './path-stat.ts';

export interface CopyOptions {
  /** Copy what a link at the end of the source names. */
  readonly followLink: boolean;
  /** Keep owners. */
  readonly archive: boolean;
}

interface ContainerPath {
  readonly container: string;
  readonly path: string;
}

/** Copies a path of this machine, or the tar on stdin when `source` is `-`, into a container. */
export async function copyToContainer(
  session: Session,
  source: string,
  to: ContainerPath,
  options: CopyOptions,
): Promise<void> {
  const { signal } = session;
  const local = source === '-' ? undefined : localSource(source, options);
  const client = await session.client();
  const end = await containerEnd(client, to, signal);
  let body: Readable = session.stdin;
  let folder = end.path;
  if (local) {
    const plan = planCopy(local, end);
    folder = plan.folder;
    const name = plan.rename(local.base);
    body = Readable.from(localTar(local.path, name), { objectMode: false });
  } else if (!end.isFolder)
    throw new Failure('invalid', 'NOT_A_FOLDER', `destination "${to.container}:${to.path}" must be a directory`);
  await client.call('PUT', archiveOf(to.container), {
    query: { path: folder, noOverwriteDirNonDir: 'true', ...(options.archive && { copyUIDGID: 'true' }) },
    headers: { 'Content-Type': 'application/x-tar' },
    body,
    signal,
  });
}

/** The source as it is packed: links in its folders are followed, the last one on demand. */
function localSource(source: string, { followLink }: CopyOptions): CopySource {
  const path = absolutePath(source, process.cwd());
  try {
    const isInside = path.endsWith('/') || path.endsWith('/.');
    const real =
      followLink || isInside ? realpathSync(path) : posix.join(realpathSync(posix.dirname(path)), posix.basename(path));
    const isDirectory = lstatSync(real).isDirectory();
    if (isInside && !isDirectory) throw new Failure('invalid', 'NOT_A_FOLDER', `lstat ${path}: not a directory`);
    return { path: withEnding(real, path), base: splitPath(path).base, exists: true, isFolder: isDirectory };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('invalid', 'FILE', `lstat ${path.replace(/\/\.?$/, '')}: ${systemMessage(error)}`, {
      cause: error,
    });
  }
}

/** The destination, with a link at its end followed. What is not there may be made: the folder above it decides. */
async function containerEnd(client: EngineClient, to: ContainerPath, signal: AbortSignal): Promise<CopyEnd> {
  let { path } = to;
  try {
    let stat = await statInContainer(client, to.container, path, signal);
    if (isLink(stat)) {
      path = posix.resolve(posix.dirname(path), stat.linkTarget);
      stat = await statInContainer(client, to.container, path, signal);
    }
    return { path, exists: true, isFolder: isFolder(stat) };
  } catch (error) {
    if (!isNotFound(error) && !(error instanceof Failure && error.kind === 'invalid')) throw error;
    return { path, exists: false, isFolder: false };
  }
}
