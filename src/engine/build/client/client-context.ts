import { mkdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { BuildContext, ContextFiles } from '../../../build/context/build-context.ts';
import { type ContextPaths, coversPath } from '../../../build/context/needed-paths.ts';
import { parseIgnore } from '../../../dockerfile/ignore.ts';
import { Failure } from '../../../lib/error.ts';
import { Scope } from '../../../lib/scope.ts';
import { makeScratchFolder } from '../../../lib/scratch.ts';
import { digestOf, hexOf } from '../../../oci/digest.ts';
import { diskFailure } from '../../../store/disk.ts';
import type { Store } from '../../../store/open-store.ts';
import type { BuildEvent } from '../../../wire/build.ts';
import type { ContextOptions, OpenedContext } from '../build-context.ts';
import { readContextFile } from '../dockerfile-source.ts';
import { LINT_CONFIG } from '../lint-build.ts';
import type { ClientFolder } from './client-folder.ts';
import { FolderWriter } from './folder-writer.ts';

const IGNORE_NAME = '.dockerignore';

export interface ClientContextOptions {
  readonly store: Store;
  readonly emit: (event: BuildEvent) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A context that is a folder of the client. Its files come when it is known which of them the build needs. */
export async function openClientContext(
  folder: ClientFolder,
  scope: Scope,
  options: ClientContextOptions & Pick<ContextOptions, 'dockerfile' | 'dockerfileFolder'>,
): Promise<OpenedContext> {
  const { dockerfile, ignore: own } = await readClientDockerfile(options.dockerfileFolder ?? folder, scope, options);
  const notes = await fewFiles(folder, [IGNORE_NAME, LINT_CONFIG], scope, options);
  const ignore = own ?? readContextFile(notes, IGNORE_NAME, 'ignore file');
  const lint = { folder: notes, ignore: ignore?.toString('utf8') };
  return { dockerfile, lint, files: (needed) => clientFiles(folder, { ...lint, needed }, scope, options) };
}

/** The Dockerfile in a folder of the client, in capitals or not, and the ignore file that stands beside it. */
export async function readClientDockerfile(
  folder: ClientFolder,
  scope: Scope,
  options: ClientContextOptions & Pick<ContextOptions, 'dockerfile'>,
): Promise<{ readonly dockerfile: Buffer; readonly ignore: Buffer | undefined }> {
  const { dockerfile: name } = options;
  const ignoreName = `${name}.dockerignore`;
  const other = posix.basename(name) === 'Dockerfile' ? posix.join(posix.dirname(name), 'dockerfile') : name;
  const place = await fewFiles(folder, [name, ignoreName, other], scope, options);
  const dockerfile = readContextFile(place, name, 'Dockerfile') ?? readContextFile(place, other, 'Dockerfile');
  if (!dockerfile)
    throw new Failure(
      'invalid',
      'DOCKERFILE_MISSING',
      `failed to read dockerfile: open ${name}: no such file or directory`,
    );
  return { dockerfile, ignore: readContextFile(place, ignoreName, 'ignore file') };
}

/** A named context that is a folder of the client. */
export async function openNamedFolder(
  folder: ClientFolder,
  needed: ContextPaths,
  scope: Scope,
  options: ClientContextOptions,
): Promise<ContextFiles> {
  const notes = await fewFiles(folder, [IGNORE_NAME], scope, options);
  const ignore = readContextFile(notes, IGNORE_NAME, 'ignore file')?.toString('utf8');
  return clientFiles(folder, { ignore, needed }, scope, options);
}

/**
 * The files that a build needs of a client's folder, on their way from now on. What a step wants beside them comes
 * when it asks, into a folder of its own.
 */
function clientFiles(
  folder: ClientFolder,
  { ignore, needed }: { readonly ignore: string | undefined; readonly needed: ContextPaths },
  scope: Scope,
  options: ClientContextOptions,
): ContextFiles {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const exclude =
    ignore === undefined ? [] : parseIgnore(ignore).map(({ text, exception }) => `${exception ? '!' : ''}${text}`);
  const copies = new Scope();
  const coming = new Map<string, Promise<BuildContext>>();
  const bring = (paths: ContextPaths): Promise<BuildContext> => {
    const key = JSON.stringify(paths?.toSorted() ?? null);
    const before = coming.get(key);
    if (before) return before;
    const place = placeFor(folder, paths, copies, options.store);
    const sent = receive(folder, { exclude, followPaths: paths }, place, { ...options, signal }).then(() => ({
      folder: place.folder,
      memo: place.memo,
      ignore,
      index: undefined,
      isOwn: true,
    }));
    sent.catch(() => {}); // whoever needs the files hears it
    coming.set(key, sent);
    return sent;
  };
  scope.defer(async () => {
    stop.abort();
    await Promise.allSettled(coming.values()); // nobody writes to the copies any more
    await copies[Symbol.asyncDispose]();
  });
  const planned = bring(needed);
  return { at: (paths) => (paths.every((path) => coversPath(needed, path)) ? planned : bring(paths.map(cleaned))) };
}

const cleaned = (path: string): string => posix.join('/', path).slice(1);

/** Where a folder of the client is copied to. */
interface CopyPlace {
  readonly folder: string;
  readonly memo: string | undefined;
  readonly list: string | undefined;
  readonly hasXattrs: boolean;
  readonly noteXattrs: () => void;
  readonly complete: (size: number) => void;
}

/** The copy that was kept of the same folder; for a client that gives it no name, and for nothing at all, an empty one. */
function placeFor(folder: ClientFolder, paths: ContextPaths, scope: Scope, store: Store): CopyPlace {
  if (folder.sharedKey === '' || paths?.length === 0) return scratchPlace(scope, store);
  const held = scope.use(
    store.clientFolders.hold(digestOf(JSON.stringify([folder.sharedKey, folder.name])), folder.name),
  );
  return { ...held, memo: join(store.memoFolder('contexts'), hexOf(digestOf(held.folder)).slice(0, 32)) };
}

function scratchPlace(scope: Scope, store: Store): CopyPlace {
  const tree = join(scope.use(makeScratchFolder(store.scratch, 'client')).path, 'tree');
  mkdirSync(tree);
  return { folder: tree, memo: undefined, list: undefined, hasXattrs: false, noteXattrs() {}, complete() {} };
}

/** A few files of the client, in a folder that goes with `scope`. */
async function fewFiles(
  folder: ClientFolder,
  followPaths: readonly string[],
  scope: Scope,
  options: ClientContextOptions,
): Promise<string> {
  const place = scratchPlace(scope, options.store);
  await receive(folder, { exclude: [], followPaths }, place, { ...options, emit: async () => {} });
  return place.folder;
}

async function receive(
  { files, name }: ClientFolder,
  wanted: { readonly exclude: readonly string[]; readonly followPaths: ContextPaths },
  place: CopyPlace,
  { store, emit, signal }: ClientContextOptions,
): Promise<void> {
  if (wanted.followPaths?.length === 0) return;
  using writer = new FolderWriter(place.folder, {
    label: name,
    discard: (path) => store.trash.discard(path),
    hasXattrs: place.hasXattrs,
    noteXattrs: place.noteXattrs,
    list: place.list,
  });
  const tell = () => emit({ type: 'context', current: writer.received, files: writer.files });
  const telling = setInterval(() => void tell(), TELL_MS);
  try {
    await files.sync({ name, ...wanted }, writer, { signal });
  } catch (error) {
    const failure = diskFailure(error, store.root);
    if (failure !== error) store.trash.discard(place.folder); // else the disk would stay full
    throw failure;
  } finally {
    clearInterval(telling);
  }
  writer.complete();
  place.complete(writer.size);
  await tell();
}

const TELL_MS = 200;
