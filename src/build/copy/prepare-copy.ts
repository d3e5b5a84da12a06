import { mkdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Failure, isFailure } from '../../lib/error.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { withoutLogin } from '../../lib/url-password.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { cloneGit } from '../git/clone-git.ts';
import type { CopyTask } from './copy-files.ts';
import type { CopiedLayer, CopyJob, CopyRequest, CopySource, CopyTarget } from './copy-request.ts';
import { download, UNNAMED } from './download.ts';
import { findInputs } from './find-inputs.ts';
import type { LocalRequest, LocalSource } from './gather-sources.ts';
import { closeRing, HELPER_FAILED, makeRing } from './write-ring.ts';

interface PrepareOptions {
  /** Serves `copyTasks`. */
  readonly pool: WorkerPool;
  /** Parent of a folder for downloads. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** Makes the sources of a COPY or ADD ready: URLs are fetched, inline files written. Nothing else is looked at yet. */
export async function prepareCopy(request: CopyRequest, { pool, scratch, signal }: PrepareOptions): Promise<CopyJob> {
  await using files = new SourceFiles(scratch);
  const sources: LocalSource[] = [];
  for (const source of request.sources) sources.push(await localSource(source, request, files, signal));
  const local: LocalRequest = { ...request, sources };
  const kept = files.move();
  return {
    inputs: (options) => findInputs(pool, local, options),
    copy: (target, options) => runCopy(pool, local, target, options),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

async function runCopy(
  pool: WorkerPool,
  request: LocalRequest,
  target: CopyTarget,
  { signal, onProgress }: Parameters<CopyJob['copy']>[1],
): Promise<CopiedLayer> {
  const ring = makeRing();
  const task: CopyTask = { request, target, ring };
  // The helper is queued behind the task that it helps: it never takes a worker for which that task waits.
  const copying = pool.run<CopiedLayer>('copy-files', task, {
    signal,
    onMessage: (message) => onProgress?.(message as { files: number; bytes: number }), // posted by copyTask
  });
  const helping = pool.run<void>('copy-help', { ring, folder: target.folder }, { signal });
  const helped = helping.then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    return await copying;
  } catch (error) {
    if (isFailure(error) && error.code === HELPER_FAILED) throw (await helped) ?? error;
    throw error;
  } finally {
    closeRing(ring);
    await helped; // nobody writes into the folder any more
  }
}

async function localSource(
  source: CopySource,
  request: CopyRequest,
  files: SourceFiles,
  signal: AbortSignal,
): Promise<LocalSource> {
  if (source.kind === 'path') return source;
  const folder = files.next();
  if (source.kind === 'inline') {
    const name = posix.basename(source.name);
    writeFileSync(`${folder}/${name}`, source.content, { mode: 0o644, flag: 'wx' });
    return { kind: 'file', name, folder, isInTree: false };
  }
  if (source.kind === 'git') {
    const { keepGitDir } = source;
    const cloned = await cloneGit(source.source, join(folder, 'repository'), { keepGitDir, signal });
    return { kind: 'folder', folder: cloned.folder };
  }
  const { name } = await download(source.url, folder, { checksum: source.checksum, signal });
  if (name === UNNAMED && /\/$/.test(request.destination))
    throw new Failure(
      'invalid',
      'ADD_NAME',
      `ADD failed: cannot determine filename for source ${withoutLogin(source.url)}`,
      {
        hint: 'give the destination a file name instead of a folder',
      },
    );
  return { kind: 'file', name, folder, isInTree: source.unpack };
}

/** A scratch folder that is made when the first file needs it; each file gets a folder of its own. */
class SourceFiles implements AsyncDisposable {
  readonly #parent: string;
  #folder: ReturnType<typeof makeScratchFolder> | undefined;
  #count = 0;

  constructor(parent: string) {
    this.#parent = parent;
  }

  next(): string {
    this.#folder ??= makeScratchFolder(this.#parent, 'copy');
    const path = `${this.#folder.path}/${this.#count++}`;
    mkdirSync(path, 0o700);
    return path;
  }

  move(): SourceFiles {
    const moved = new SourceFiles(this.#parent);
    moved.#folder = this.#folder;
    this.#folder = undefined;
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder?.[Symbol.asyncDispose]();
  }
}
