import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { IgnoreMatcher, parseIgnore } from '../../dockerfile/ignore.ts';
import { gatherBytes, peekBytes } from '../../lib/byte-stream.ts';
import { Failure, systemCode } from '../../lib/error.ts';
import { detectCompression } from '../../tar/compression.ts';
import type { ContextOffer } from '../../wire/build.ts';
import { type ContextPart, contextTar, type ExtraFile } from './context-tar.ts';

/** Where a build's input is. `dockerfile` is the path of the Dockerfile in the context. */
export type BuildSource =
  | { readonly kind: 'remote'; readonly url: string; readonly dockerfile: string }
  | { readonly kind: 'tar'; readonly dockerfile: string; readonly tar: () => Readable }
  | {
      readonly kind: 'folder';
      readonly dockerfile: string;
      readonly offer: ContextOffer;
      /** Text of a Dockerfile that is not in the folder. */
      readonly sent: Buffer | undefined;
      readonly part: ContextPart;
    };

const DOCKERFILE_LIMIT = 16 << 20;
const HEAD = 512;

/** Finds out what `where` and `-f` mean: a folder, stdin (tar or Dockerfile), a URL or a git repository. */
export async function findBuildSource(where: string, file: string, stdin: Readable): Promise<BuildSource> {
  if (where === '-') return await sourceFromStdin(file, stdin);
  if (isRemote(where) && !exists(where)) {
    if (file === '-') throw invalid('a Dockerfile from stdin does not go with a URL');
    return { kind: 'remote', url: where, dockerfile: file || 'Dockerfile' };
  }
  return await sourceFromFolder(where, file, stdin);
}

async function sourceFromStdin(file: string, stdin: Readable): Promise<BuildSource> {
  if (file === '-') throw invalid('invalid argument: cannot use stdin for both build context and dockerfile');
  const { head, rest } = await peekBytes(stdin, HEAD);
  if (isArchive(head))
    return { kind: 'tar', dockerfile: file || 'Dockerfile', tar: () => Readable.from(rest, { objectMode: false }) };
  if (file !== '') throw invalid('ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles');
  const text = await readAll(rest);
  const tar = () => Readable.from(contextTar({ folder: undefined, extra: [{ path: 'Dockerfile', bytes: text }] }));
  return { kind: 'tar', dockerfile: 'Dockerfile', tar };
}

async function sourceFromFolder(where: string, file: string, stdin: Readable): Promise<BuildSource> {
  const { folder, offer } = offerOf(where);
  const place = file === '-' ? undefined : dockerfilePlace(folder, file);
  if (place?.inside !== undefined) {
    const dockerfile = place.inside;
    const own = readIfThere(join(folder, `${dockerfile}.dockerignore`));
    const ignored = own ? `${dockerfile}.dockerignore` : '.dockerignore';
    const text = own ?? readIfThere(join(folder, '.dockerignore'));
    const keep = [dockerfile, ignored, '.dockerignore'];
    const matcher = new IgnoreMatcher(parseIgnore(text?.toString('utf8') ?? '', { file: ignored }));
    const part = { folder: { folder, ignores: matcher, keep }, extra: [] };
    return { kind: 'folder', dockerfile, offer, sent: undefined, part };
  }
  const sent = place ? readFileSync(place.outside) : await readAll(stdin);
  const ignoreText = readIfThere(join(folder, '.dockerignore'));
  const dockerfile = `.dockerfile.${createHash('sha256').update(randomBytes(16)).digest('hex').slice(0, 20)}`;
  const matcher = new IgnoreMatcher(parseIgnore(ignoreText?.toString('utf8') ?? ''));
  // The Dockerfile travels in the tar; it must not look like a part of the context.
  const hidden = `${ignoreText?.toString('utf8') ?? '.dockerignore'}\n${dockerfile}\n`;
  const extra: ExtraFile[] = [
    { path: dockerfile, bytes: sent },
    { path: '.dockerignore', bytes: Buffer.from(hidden) },
  ];
  const part = { folder: { folder, ignores: matcher, keep: [] }, extra };
  return { kind: 'folder', dockerfile, offer, sent, part };
}

/** A folder, and how to tell a host of it. */
export function offerOf(where: string): { readonly folder: string; readonly offer: ContextOffer } {
  try {
    const folder = realpathSync(where);
    const { dev, ino } = statSync(folder, { bigint: true });
    if (lstatSync(folder).isDirectory()) return { folder, offer: { path: folder, device: `${dev}`, inode: `${ino}` } };
    throw invalid(`unable to prepare context: context must be a directory: ${resolve(where)}`);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw invalid(`unable to prepare context: path "${where}" not found`);
    throw error;
  }
}

/** Where the Dockerfile of `-f` is: a path in the folder, or a path elsewhere. */
function dockerfilePlace(
  folder: string,
  file: string,
): { inside: string; outside?: never } | { inside?: never; outside: string } {
  let path = file === '' ? join(folder, 'Dockerfile') : resolve(file);
  if (file === '' && !exists(path) && exists(join(folder, 'dockerfile'))) path = join(folder, 'dockerfile');
  // As Docker does: a relative name that is not below the current folder is tried below the context.
  if (file !== '' && !isAbsolute(file) && !exists(path) && exists(join(folder, file))) path = join(folder, file);
  let real: string;
  try {
    real = join(realpathSync(join(path, '..')), basename(path));
    statSync(real);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error;
    throw invalid(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    );
  }
  const inside = relative(folder, real);
  if (inside === '..' || inside.startsWith(`..${sep}`)) return { outside: real };
  return { inside: inside.split(sep).join('/') };
}

/** Whether a context is to be fetched by the host. */
export function isRemote(where: string): boolean {
  return /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(where);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether bytes begin a tar, plain or compressed. */
function isArchive(head: Buffer): boolean {
  return detectCompression(head) !== 'none' || head.subarray(257, 262).toString('latin1') === 'ustar';
}

/** A Dockerfile from stdin. */
const readAll = (stream: AsyncIterable<Uint8Array>): Promise<Buffer> =>
  gatherBytes(stream, DOCKERFILE_LIMIT, () => invalid(`the Dockerfile on stdin is over ${DOCKERFILE_LIMIT} bytes`));

function invalid(message: string): Failure {
  return new Failure('invalid', 'BUILD_SOURCE', message);
}
