import { createHash } from 'node:crypto';
import { closeSync, linkSync, mkdirSync, readSync } from 'node:fs';
import { setXattr } from '../../host/file-system-calls.ts';
import { cancelled } from '../../lib/error.ts';
import { type Digest, digestOf, parseDiffId, parseDigest } from '../../oci/digest.ts';
import { diskFailure } from '../../store/disk.ts';
import type { LayerFacts } from '../../store/layers.ts';
import { countedSize, type EntryHeader, type LayerEntry } from '../../tar/layer-entry.ts';
import { writeLayerIndex } from '../../tar/layer-index.ts';
import { pathInFolder } from '../../tar/names.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../../tar/whiteout.ts';
import {
  changedMeanwhile,
  type FileDigester,
  isUnchanged,
  ONE_READ,
  openSource,
  readXattrs,
} from '../context/file-digester.ts';
import type { SourceFile } from '../context/source-file.ts';
import { type RingMemory, RingWriter } from './digest-ring.ts';
import type { Owner } from './owner.ts';
import type { CopiedEntry, PlannedEntry } from './plan-copy.ts';
import { createFile, finishFile, finishFolder, makeFolder, makeSpecial, writeAll } from './write-entry.ts';

export interface PassOptions {
  /** The layer's own folder, empty. */
  readonly folder: string;
  /** Modification time of folders that are made on the way, in seconds. */
  readonly time: number;
  /** Owner of folders that are made on the way. */
  readonly owner: Owner;
  readonly digester: FileDigester;
  /** Where the layer's tar is digested. */
  readonly ring: RingMemory;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
}

/** How long the thread may work before it looks for an abort and tells how far it is; milliseconds. */
const TURN = 50;

/**
 * Makes a layer of planned entries: tree, index and diffID in one pass that reads each file once. Digests of the content
 * become known to the source files on the way. A Failure leaves an unfinished folder.
 */
export async function copyPass(plan: readonly PlannedEntry[], options: PassOptions): Promise<LayerFacts> {
  using ring = new RingWriter(options.ring);
  const pass = new CopyPass(options, ring);
  let current = '';
  try {
    mkdirSync(pass.tree, 0o755);
    for (const [number, entry] of plan.entries()) {
      if (number % 32 === 0 && pass.turn.isOver()) await pass.turn.pass({ files: number, bytes: pass.size });
      current = entry.path;
      const pending = pass.add(entry);
      if (pending) await pending;
    }
    return pass.finish(`${options.folder}/index`);
  } catch (error) {
    throw diskFailure(error, `${options.folder} (while copying "${current}")`);
  }
}

/** Lets the thread hear of an abort, and tells how far the work is. */
class Turn {
  readonly #options: PassOptions;
  #start = performance.now();

  constructor(options: PassOptions) {
    this.#options = options;
  }

  isOver(): boolean {
    return performance.now() - this.#start > TURN;
  }

  async pass(progress: { files: number; bytes: number }): Promise<void> {
    this.#options.onProgress(progress);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#options.signal.aborted) throw cancelled(this.#options.signal);
    this.#start = performance.now();
  }
}

class CopyPass {
  readonly tree: string;
  /** Bytes of content so far. */
  size = 0;
  readonly turn: Turn;
  readonly #options: PassOptions;
  readonly #ring: RingWriter;
  readonly #tar: TarWriter;
  readonly #rows: LayerEntry[] = [];
  readonly #folders: LayerEntry[] = [];
  /** Paths of the first names of files that have several. */
  readonly #links = new Map<string, LayerEntry>();
  readonly #buffer = Buffer.allocUnsafeSlow(ONE_READ + 1);

  constructor(options: PassOptions, ring: RingWriter) {
    this.tree = `${options.folder}/diff`;
    this.#options = options;
    this.#ring = ring;
    this.turn = new Turn(options);
    this.#tar = new TarWriter((bytes) => ring.write(bytes));
  }

  /** Large files take turns; all else is done when this returns. */
  add(entry: PlannedEntry): Promise<void> | undefined {
    switch (entry.kind) {
      case 'make':
        this.#folder({
          path: entry.path,
          type: 'directory',
          mode: 0o755,
          ...this.#options.owner,
          size: 0,
          mtime: this.#options.time,
          mtimeNsec: 0,
        });
        return undefined;
      case 'keep': {
        const { mode, uid, gid, mtime, mtimeNsec } = entry.stat;
        const xattrs = readXattrs(entry.place);
        this.#folder({
          path: entry.path,
          type: 'directory',
          mode,
          uid,
          gid,
          size: 0,
          mtime,
          mtimeNsec,
          xattrs: xattrs.size > 0 ? xattrs : undefined,
        });
        return undefined;
      }
      case 'copy':
        if (entry.file.type === 'directory') {
          this.#options.digester.complete(entry.file);
          this.#folder(this.#header(entry));
          if (entry.replaces) this.#opaque(entry.path);
        } else if (entry.file.type === 'file') return this.#file(entry);
        else {
          this.#options.digester.complete(entry.file);
          makeSpecial(this.tree, this.#row(this.#header(entry)));
        }
        return undefined;
    }
  }

  finish(index: string): LayerFacts {
    for (const row of this.#folders.reverse()) finishFolder(this.tree, row);
    const tarSize = this.#tar.end();
    writeLayerIndex(index, this.#rows);
    const diffId = parseDiffId(`sha256:${this.#ring.finish()}`);
    return { diffId, size: this.size, tarSize, entries: this.#rows.length };
  }

  #header({ path, file, attributes }: CopiedEntry, size = 0): EntryHeader {
    const { owner = file, mode } = attributes;
    return {
      path,
      type: file.type,
      mode: file.type === 'symlink' ? 0o777 : (mode ?? file.mode),
      uid: owner.uid,
      gid: owner.gid,
      size,
      mtime: file.mtime,
      mtimeNsec: file.mtimeNsec,
      linkTarget: file.linkTarget,
      device: file.device,
      xattrs: file.xattrs && file.xattrs.size > 0 ? file.xattrs : undefined,
    };
  }

  #row(header: EntryHeader, digest?: Digest): LayerEntry {
    const row: LayerEntry = { ...header, digest, offset: this.#tar.begin(header) };
    this.size += countedSize(row);
    this.#rows.push(row);
    return row;
  }

  #folder(header: EntryHeader): void {
    makeFolder(this.tree, header.path);
    this.#folders.push(this.#row(header));
  }

  #opaque(path: string): void {
    setXattr(pathInFolder(this.tree, path), OPAQUE_XATTR, OPAQUE_VALUE);
    this.#row({ path, type: 'opaque', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 });
  }

  #file(entry: CopiedEntry): Promise<void> | undefined {
    const { path, file } = entry;
    const first = file.linked === undefined ? undefined : this.#links.get(file.linked);
    if (first) {
      file.digest = first.digest;
      file.xattrs = first.xattrs ?? new Map();
      linkSync(pathInFolder(this.tree, first.path), pathInFolder(this.tree, path));
      this.#row({ ...first, path, type: 'hardlink', size: 0, linkTarget: first.path });
      return undefined;
    }
    if (file.size >= ONE_READ) return this.#large(entry);
    this.#done(file, this.#small(entry));
    return undefined;
  }

  #done(file: SourceFile, row: LayerEntry): void {
    if (file.linked !== undefined) this.#links.set(file.linked, row);
  }

  #small(entry: CopiedEntry): LayerEntry {
    const { file } = entry;
    const { digester } = this.#options;
    const source = openSource(file);
    let size: number;
    try {
      size = readSync(source, this.#buffer, 0, this.#buffer.length, null);
      if (size > ONE_READ) throw changedMeanwhile(file.path);
      const isKnown = digester.recall(file) && isUnchanged(file, source);
      if (!isKnown) digester.learn(file, digestOf(this.#buffer.subarray(0, size)), source);
    } finally {
      closeSync(source);
    }
    const content = this.#buffer.subarray(0, size);
    const row = this.#row(this.#header(entry, size), file.digest);
    this.#tar.data(content);
    if (this.#linkShared(entry, row)) return row;
    const target = createFile(this.tree, row);
    try {
      if (size > 0) writeAll(target, content);
      finishFile(target, this.tree, row);
    } finally {
      closeSync(target);
    }
    return row;
  }

  /** In pieces of 1 MiB. Its size stands in the tar before its content, so it must not change. */
  async #large(entry: CopiedEntry): Promise<void> {
    const { file } = entry;
    const { digester } = this.#options;
    const isKnown = digester.recall(file);
    const source = openSource(file);
    try {
      digester.lookForXattrs(file);
      const header = this.#header(entry, file.size);
      const offset = this.#tar.begin(header);
      const planned: LayerEntry = { ...header, offset };
      const target = this.#linkShared(entry, planned) ? undefined : createFile(this.tree, planned);
      const hash = isKnown ? undefined : createHash('sha256');
      try {
        for (let left = file.size; left > 0; ) {
          const room = this.#tar.reserve(Math.min(left, ONE_READ));
          for (let fill = 0; fill < room.length; ) {
            const count = readSync(source, room, fill, room.length - fill, null);
            if (count === 0) throw changedMeanwhile(file.path);
            fill += count;
          }
          hash?.update(room);
          if (target !== undefined) writeAll(target, room);
          left -= room.length;
          if (this.turn.isOver())
            await this.turn.pass({ files: this.#rows.length, bytes: this.size + file.size - left });
        }
        if (readSync(source, this.#buffer, 0, 1, null) > 0) throw changedMeanwhile(file.path);
        if (isKnown && !isUnchanged(file, source)) throw changedMeanwhile(file.path);
        if (hash) digester.learn(file, parseDigest(`sha256:${hash.digest('hex')}`), source);
        const row: LayerEntry = { ...header, digest: file.digest, offset };
        if (target !== undefined) finishFile(target, this.tree, row);
        this.#rows.push(row);
        this.#done(file, row);
      } finally {
        if (target !== undefined) closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  }
  /** Links a file that nobody else changes and that already is what its row says. */
  #linkShared({ file, attributes }: CopiedEntry, row: LayerEntry): boolean {
    if (!attributes.isShared || row.uid !== file.uid || row.gid !== file.gid || row.mode !== file.mode) return false;
    linkSync(pathInFolder(file.place, ''), pathInFolder(this.tree, row.path));
    return true;
  }
}
