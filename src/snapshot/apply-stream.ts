import { mkdirSync, readdirSync } from 'node:fs';
import { freeSpace } from '../host/file-system-calls.ts';
import { Failure, isFailure, systemCode } from '../lib/error.ts';
import { Digester } from '../oci/digest.ts';
import { diskFailure } from '../store/disk.ts';
import type { LayerFacts } from '../store/layers.ts';
import { decompress } from '../tar/compression.ts';
import { LayerIndexWriter } from '../tar/layer-index.ts';
import { TarReader } from '../tar/tar-reader.ts';
import { EntryApplier } from './entry-applier.ts';

export interface ApplyRequest {
  /** Folder for the tree: empty, or missing under an existing parent. Nobody else may write below it. */
  readonly target: string;
  /** File to write the index to. */
  readonly index: string;
  /**
   * `layer`: whiteouts become overlayfs's, and the index re-creates the very bytes of the tar. `plain` (build contexts,
   * archives that ADD extracts): names starting in `.wh.` are ordinary.
   */
  readonly form: 'layer' | 'plain';
  /** Owner of everything, instead of what the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Whether device nodes are made. A refused one is a Failure of kind `denied`. Default `keep`. */
  readonly devices?: 'keep' | 'refuse';
  readonly limits?: {
    /** The most bytes that the uncompressed archive, and its sparse files expanded, may have. Default: the free disk space. */
    readonly bytes?: number;
    /** The most entries. Default 2,000,000. */
    readonly entries?: number;
  };
}

export interface ApplyProgress {
  /** Uncompressed bytes and entries so far. */
  readonly bytes: number;
  readonly entries: number;
}

const ENTRY_LIMIT = 2_000_000;
const PROGRESS_STEP = 4 << 20;

/**
 * Unpacks a tar, compressed in any way that is known, and makes its index, in one pass. Runs where it is called and
 * blocks there: meant for a worker thread, see `applyTar`. Whatever the archive says, nothing outside of `target` and
 * `index` is touched. After a Failure the tree is unfinished and belongs in the trash.
 */
export async function applyStream(
  source: AsyncIterable<Uint8Array>,
  request: ApplyRequest,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: ApplyProgress) => void },
): Promise<LayerFacts> {
  const { target } = request;
  try {
    mkdirSync(target, { recursive: true, mode: 0o755 });
    if (readdirSync(target).length > 0)
      throw new Failure('internal', 'APPLY_TARGET', `folder ${target} for an archive is not empty`);
    using index = new LayerIndexWriter(request.index);
    const limit = request.limits?.bytes ?? freeSpace(target);
    const applier = new EntryApplier({
      target,
      form: request.form,
      owner: request.owner,
      devices: request.devices ?? 'keep',
      limits: { bytes: limit, entries: request.limits?.entries ?? ENTRY_LIMIT },
      index,
    });
    try {
      const reader = new TarReader(applier);
      const digester = new Digester();
      let told = 0;
      for await (const chunk of decompress(source, { signal: options.signal, limit })) {
        digester.update(chunk);
        reader.push(chunk);
        if (digester.size - told < PROGRESS_STEP) continue;
        told = digester.size;
        options.onProgress?.({ bytes: told, entries: applier.entries });
      }
      reader.end();
      const { rows, size } = applier.finish();
      return { diffId: digester.diffId(), size, tarSize: digester.size, entries: rows };
    } finally {
      applier.abandon();
    }
  } catch (error) {
    if (request.limits && isFailure(error)) throw error; // the limit is not the disk's
    throw entryFailure(diskFailure(error, target));
  }
}

/** System errors that the archive causes, as Failures. */
function entryFailure(error: unknown): unknown {
  const code = systemCode(error);
  const detail = { cause: error };
  if (code === 'ENAMETOOLONG')
    return new Failure('invalid', 'TAR_ENTRY_REFUSED', `a name in the archive is too long: ${text(error)}`, detail);
  // Of an attribute: its value, the length of its name, the length of its value.
  if (code === 'EINVAL' || code === 'ERANGE' || code === 'E2BIG')
    return new Failure('invalid', 'TAR_ENTRY_REFUSED', `the archive has what no file can have: ${text(error)}`, detail);
  if (code === 'EPERM' || code === 'EACCES' || code === 'EOPNOTSUPP' || code === 'ENOTSUP')
    return new Failure('unsupported', 'TAR_ENTRY_UNSUPPORTED', `the file system refuses ${text(error)}`, detail);
  return error;
}

const text = (error: unknown): string => (error instanceof Error ? error.message.slice(0, 500) : String(error));
