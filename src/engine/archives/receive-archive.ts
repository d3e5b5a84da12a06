import { peekBytes } from '../../lib/byte-stream.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { type FileRange, isFileRange } from '../../lib/file-range.ts';
import { type DiffId, type Digest, Digester, shortId } from '../../oci/digest.ts';
import { CONFIG_LIMIT } from '../../oci/image-config.ts';
import type { Lease } from '../../store/leases.ts';
import type { Store } from '../../store/open-store.ts';
import { detectCompression } from '../../tar/compression.ts';
import { BLOCK, isZeroBlock, parseHeaderBlock } from '../../tar/header-block.ts';
import type { TarEntry } from '../../tar/tar-reader.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { ReceiveLayer } from '../images/image-needs.ts';
import type { ArchiveBytes } from './archive-bytes.ts';
import { ArchiveContents, type ArchiveItem, archivePath } from './archive-contents.ts';
import { promisedDigest } from './archive-paths.ts';
import { ArchiveReader } from './archive-reader.ts';

export interface ReceiveArchive {
  readonly store: Store;
  readonly receiveLayer: ReceiveLayer;
  /** Keeps the layers. */
  readonly lease: Lease;
  readonly bytes: ArchiveBytes;
  /** Undefined: progress is not wanted. */
  readonly emit: ((line: ProgressLine) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

/** All documents of an archive together: they are kept in memory. */
const DOCUMENTS_LIMIT = 128 << 20;
const ENTRIES_LIMIT = 200_000;
/** Bytes between two lines of progress. */
const PROGRESS_STEP = 512 << 10;

/**
 * Takes an image archive in. What files are is told by their first bytes, so they may come in any
 * order: documents are kept in memory, layers are unpacked into the store as they arrive, once, and nothing is
 * written aside. A layer that the store has is passed over when the name of the file tells its diff ID.
 */
export async function receiveArchive(request: ReceiveArchive): Promise<ArchiveContents> {
  const contents = new ArchiveContents();
  await using archive = new ArchiveReader(request.bytes);
  let left = DOCUMENTS_LIMIT;
  let entries = 0;
  for (let entry = await archive.next(); entry; entry = await archive.next()) {
    if (++entries > ENTRIES_LIMIT)
      throw new Failure('exhausted', 'ARCHIVE_LIMIT', `the archive has more than ${ENTRIES_LIMIT} entries`);
    if (entry.type === 'directory') continue;
    const path = archivePath(entry.path);
    const item = linkOf(entry, path) ?? (await receiveFile(request, archive, entry, path));
    if (item.kind === 'document') left -= item.bytes.length;
    if (left < 0)
      throw new Failure(
        'exhausted',
        'ARCHIVE_LIMIT',
        `the archive has more than ${DOCUMENTS_LIMIT} bytes of documents`,
      );
    contents.add(path, item);
  }
  return contents;
}

function linkOf(entry: TarEntry, path: string): ArchiveItem | undefined {
  const target = entry.linkTarget ?? '';
  switch (entry.type) {
    case 'symlink':
      return { kind: 'link', target: archivePath(target.startsWith('/') ? target : `${path}/../${target}`) };
    case 'hardlink':
      return { kind: 'link', target: archivePath(target) };
    case 'file':
      return undefined;
    default:
      throw new Failure('invalid', 'ARCHIVE_ENTRY', `"${path}" in the archive is a ${entry.type}, not a file`);
  }
}

async function receiveFile(
  request: ReceiveArchive,
  archive: ArchiveReader,
  entry: TarEntry,
  path: string,
): Promise<ArchiveItem> {
  const { store, lease } = request;
  const promised = promisedDigest(path);
  const known = promised && store.layers.byDiffId(asDiffId(promised));
  if (promised && known && known.tarSize === entry.size) {
    lease.keep({ diffIds: [known.diffId] });
    return { kind: 'layer', diffId: known.diffId, digest: promised };
  }
  const { head, rest } = await peekBytes(archive.content(), BLOCK);
  if (looksLikeLayer(head)) {
    const inFile = detectCompression(head) === 'none' ? archive.range : undefined;
    return receiveLayer(request, inFile ?? rest, entry, path);
  }
  if (entry.size > CONFIG_LIMIT) {
    const message = `"${path}" in the archive, ${entry.size} bytes, is neither a layer nor a document`;
    return { kind: 'unusable', failure: new Failure('invalid', 'ARCHIVE_ENTRY', message) };
  }
  const bytes = Buffer.alloc(entry.size);
  let fill = 0;
  for await (const chunk of rest) fill += chunk.copy(bytes, fill);
  return { kind: 'document', bytes };
}

async function receiveLayer(
  request: ReceiveArchive,
  content: AsyncIterable<Buffer> | FileRange,
  entry: TarEntry,
  path: string,
): Promise<ArchiveItem> {
  const { signal } = request;
  const tell = progressTeller(request, entry, path);
  try {
    if (isFileRange(content)) {
      const onProgress = ({ bytes }: { readonly bytes: number }) => void tell(bytes).catch(() => {}); // the client has gone
      const { diffId } = await request.receiveLayer(content, { signal, onProgress });
      return { kind: 'layer', diffId, digest: asDigest(diffId) };
    }
    const digester = new CompressedDigester();
    const watched = watch(content, async (chunk, current) => {
      digester.update(chunk);
      await tell(current);
    });
    try {
      const { diffId } = await request.receiveLayer(watched, { signal });
      return { kind: 'layer', diffId, digest: digester.digest() ?? asDigest(diffId) };
    } finally {
      await watched.return(undefined); // after a failure the reading stops at its next chunk
    }
  } catch (error) {
    // A file that no image needs may be anything. An error of the archive itself comes again at its next entry.
    if (!isFailure(error, 'invalid', 'unsupported', 'denied')) throw error;
    const message = `layer "${path}" in the archive: ${error.message}`;
    return { kind: 'unusable', failure: new Failure(error.kind, error.code, message, { cause: error }) };
  }
}

/** Says how far a layer is, now and then and at its end. */
function progressTeller(
  { emit }: ReceiveArchive,
  { size }: TarEntry,
  path: string,
): (current: number) => Promise<void> {
  const id = layerLabel(path);
  let told = 0;
  return async (current) => {
    if (!emit || (current - told < PROGRESS_STEP && current !== size)) return;
    told = current;
    await emit({ status: 'Loading layer', progressDetail: { current, total: size }, id });
  };
}

/** The chunks, each shown to `look` with the bytes so far. */
async function* watch(
  content: AsyncIterable<Buffer>,
  look: (chunk: Buffer, current: number) => Promise<void>,
): AsyncGenerator<Buffer> {
  let current = 0;
  for await (const chunk of content) {
    current += chunk.length;
    await look(chunk, current);
    yield chunk;
  }
}

/** The digest of bytes that are compressed. Of others it is the diff ID, which unpacking computes. */
class CompressedDigester {
  readonly #digester = new Digester();
  #isCompressed: boolean | undefined;

  update(chunk: Buffer): void {
    this.#isCompressed ??= detectCompression(chunk) !== 'none';
    if (this.#isCompressed) this.#digester.update(chunk);
  }

  digest(): Digest | undefined {
    return this.#isCompressed ? this.#digester.digest() : undefined;
  }
}

/** Compressed, or a tar, which an empty one is too. */
function looksLikeLayer(head: Buffer): boolean {
  if (detectCompression(head) !== 'none') return true;
  if (head.length < BLOCK) return false;
  if (isZeroBlock(head, 0)) return true;
  try {
    parseHeaderBlock(head, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** How the lines of progress call a layer: by its digest, or by its folder in the oldest form. */
function layerLabel(path: string): string {
  const promised = promisedDigest(path);
  return promised ? shortId(promised) : path.replace(/\/layer\.tar$/, '').slice(0, 12);
}

const asDiffId = (digest: Digest): DiffId => digest as string as DiffId; // a guess; only the store's own answer is used
const asDigest = (diffId: DiffId): Digest => diffId as string as Digest; // of the uncompressed bytes, which these are
