import { lstatSync, readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BuildContext, type ContextFiles, presentFiles } from '../../build/context/build-context.ts';
import type { ContextPaths } from '../../build/context/needed-paths.ts';
import { Failure, systemCode } from '../../lib/error.ts';
import type { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { applyTar } from '../../snapshot/apply-tar.ts';
import type { Store } from '../../store/open-store.ts';
import type { BuildEvent, ContextOffer } from '../../wire/build.ts';
import { openClientContext, readClientDockerfile } from './client/client-context.ts';
import type { ClientFolder } from './client/client-folder.ts';
import { gatherDockerfile, readContextFile, readDockerfile } from './dockerfile-source.ts';
import { fetchRemoteContext, type RemoteOptions } from './remote-context.ts';

export type ContextSource =
  | { readonly kind: 'tar'; readonly body: Readable }
  | { readonly kind: 'offer'; readonly offer: ContextOffer; readonly dockerfile: Readable | undefined }
  /** A folder of a body that was unpacked. */
  | { readonly kind: 'packed'; readonly folder: string }
  | { readonly kind: 'client'; readonly folder: ClientFolder }
  | { readonly kind: 'remote'; readonly url: string };

/** A context, with the Dockerfile found in it or sent beside it. */
export interface OpenedContext {
  readonly dockerfile: Buffer;
  /** What rules about the Dockerfile look at: what is ignored, and a folder with the context's own configuration. */
  readonly lint: Pick<BuildContext, 'folder' | 'ignore'>;
  /** The files, once it is known which of them the build needs. */
  files(needed: ContextPaths): ContextFiles;
}

export interface ContextOptions extends RemoteOptions {
  readonly store: Store;
  readonly workers: WorkerPool;
  /** Path of the Dockerfile in the context, or in its folder. */
  readonly dockerfile: string;
  /** The client's folder with the Dockerfile, when that is not in the context. */
  readonly dockerfileFolder: ClientFolder | undefined;
  /** The request's body, when it holds several contexts. */
  readonly packed: PackedContexts | undefined;
  readonly emit: (event: BuildEvent) => Promise<void>;
}

/** A tree in which each folder of the root is a context. */
export interface PackedContexts {
  readonly folder: string;
}

/** Brings a build's context to a folder. What is unpacked for it goes with `scope`. */
export async function openContext(
  source: ContextSource,
  scope: Scope,
  options: ContextOptions,
): Promise<OpenedContext> {
  const { dockerfileFolder } = options;
  if (source.kind === 'client') return openClientContext(source.folder, scope, options);
  const apart = dockerfileFolder && (await readClientDockerfile(dockerfileFolder, scope, options));
  switch (source.kind) {
    case 'offer': {
      const place = offeredPlace(source.offer, options);
      const sent = source.dockerfile && (await gatherDockerfile(source.dockerfile, 'the Dockerfile'));
      return finish(place, sent && sent.length > 0 ? { dockerfile: sent } : apart, options);
    }
    case 'packed':
      return finish(packedPlace(options.packed, source.folder), apart, options);
    case 'tar': {
      return finish(await unpack(source.body, scope, options), apart, options);
    }
    case 'remote': {
      const scratch = scope.use(makeScratchFolder(options.store.scratch, 'remote'));
      const fetched = await fetchRemoteContext(source.url, scratch.path, options);
      if (fetched.kind === 'folder') return finish(onDisk(fetched.folder), apart, options);
      if (fetched.kind === 'tar') return finish(await unpack(fetched.body, scope, options), apart, options);
      await mkdir(join(scratch.path, 'empty'));
      await writeFile(join(scratch.path, 'empty', options.dockerfile), fetched.text);
      return finish(onDisk(join(scratch.path, 'empty')), apart, options);
    }
  }
}

/** Where the files of a context are. */
export type ContextPlace = Omit<BuildContext, 'ignore'>;

/** The offered folder, when this host sees the same one. */
export function offeredPlace(offer: ContextOffer, { store }: Pick<ContextOptions, 'store'>): ContextPlace {
  const folder = visibleFolder(offer);
  // Digests are remembered by the folder's path; the memo itself is keyed by device and inode of each file.
  const memo = join(store.memoFolder('contexts'), hexOf(digestOf(folder)).slice(0, 32));
  return { folder, memo, index: undefined };
}

export function packedPlace(packed: PackedContexts | undefined, name: string): ContextPlace {
  const folder = packed && join(packed.folder, name);
  if (folder !== undefined && lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return onDisk(folder);
  throw new Failure('invalid', 'CONTEXT_NOT_PACKED', `the body of the build has no folder ${name}`);
}

/** A context whose rules of what to ignore are its own .dockerignore, unless it has others. */
export function contextAt(place: ContextPlace, own?: Buffer): BuildContext {
  const ignore = own ?? readContextFile(place.folder, '.dockerignore', 'ignore file');
  return { ...place, ignore: ignore?.toString('utf8') };
}

function visibleFolder(offer: ContextOffer): string {
  try {
    const { dev, ino } = statSync(offer.path, { bigint: true });
    readdirSync(offer.path);
    if (`${dev}` === offer.device && `${ino}` === offer.inode) return offer.path;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '')) throw error;
  }
  throw new Failure('invalid', 'CONTEXT_NOT_VISIBLE', `the host does not see the folder ${offer.path} of its client`);
}

/** Unpacks a tar in any compression for as long as `scope` lasts. */
export async function unpack(
  body: Readable,
  scope: Scope,
  options: Pick<ContextOptions, 'store' | 'workers' | 'emit' | 'signal'>,
): Promise<ContextPlace> {
  const scratch = scope.use(makeScratchFolder(options.store.scratch, 'context'));
  const folder = join(scratch.path, 'tree');
  await applyTar(
    options.workers,
    body,
    { target: folder, index: join(scratch.path, 'index'), form: 'plain', owner: { uid: 0, gid: 0 }, devices: 'refuse' },
    {
      signal: options.signal,
      onProgress: ({ bytes, entries }) => void options.emit({ type: 'context', current: bytes, files: entries }),
    },
  );
  return { folder, memo: undefined, index: join(scratch.path, 'index') };
}

export const onDisk = (folder: string): ContextPlace => ({ folder, memo: undefined, index: undefined });

function finish(
  place: ContextPlace,
  apart: { readonly dockerfile: Buffer; readonly ignore?: Buffer | undefined } | undefined,
  { dockerfile }: ContextOptions,
): OpenedContext {
  const found = apart ?? readDockerfile(place.folder, dockerfile);
  const own = apart?.ignore ?? readContextFile(place.folder, `${dockerfile}.dockerignore`, 'ignore file');
  const context = contextAt(place, own);
  return { dockerfile: found.dockerfile, lint: context, files: () => presentFiles(context) };
}
