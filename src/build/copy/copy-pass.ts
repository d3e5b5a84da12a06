import { createHash } from 'node:crypto';
import { closeSync, linkSync, mkdirSync, readSync } from 'node:fs';
import { setXattr } from '../../host/file-system-calls.ts';
import { systemCode } from '../../lib/error.ts';
import { Digester } from '../../oci/digest.ts';
import { diskFailure } from '../../store/disk.ts';
import type { LayerFacts } from '../../store/layers.ts';
import { RowEncoder } from '../../tar/index-rows.ts';
import { type EntryHeader, type LayerEntry, notNewer } from '../../tar/layer-entry.ts';
import { writeLayerIndex } from '../../tar/layer-index.ts';
import { encodeName, pathInFolder } from '../../tar/names.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../../tar/whiteout.ts';
import {
  changedMeanwhile,
  type FileDigester,
  isUnchanged,
  ONE_READ,
  openSource,
  readXattrs,
  sha256,
} from '../context/file-digester.ts';
import { digestOfRaw, placeOf, type RawDigest, type SourceFile } from '../context/source-file.ts';
import type { Owner } from './owner.ts';
import type { CopiedEntry, PlannedEntry } from './plan-copy.ts';
import type { Turn } from './turn.ts';
import { FileWriter, finishFolder, makeFolder, makeSpecial, setXattrs } from './write-entry.ts';
import { DIGESTS, type RingMemory, RingProducer } from './write-ring.ts';

export interface PassOptions {
  /** The layer's own folder, empty. */
  readonly folder: string;
  /** Modification time of folders that are made on the way, in seconds. */
  readonly time: number;
  /** What is newer gets this modification time, in seconds. */
  readonly newest?: number | undefined;
  /** Owner of folders that are made on the way. */
  readonly owner: Owner;
  readonly digester: FileDigester;
  /** Through which another thread may help to write. */
  readonly ring: RingMemory;
  readonly turn: Turn;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
}

/**
 * Makes a layer of planned entries: tree, index and diffID in one pass that reads each file once. Digests of the content
 * become known to the source files on the way. A Failure leaves an unfinished folder.
 */
export async function copyPass(plan: readonly PlannedEntry[], options: PassOptions): Promise<LayerFacts> {
  using pass = new CopyPass(options);
  const { turn } = options;
  let current = '';
  try {
    for (const entry of plan) {
      current = entry.path;
      const pending = pass.add(entry);
      if (pending) await pending;
      if (!turn.isOver()) continue;
      options.onProgress(pass.progress);
      await turn.pass();
    }
    return pass.finish(`${options.folder}/index`);
  } catch (error) {
    throw diskFailure(error, `${options.folder} (while copying "${current}")`);
  }
}

class CopyPass implements Disposable {
  readonly #tree: string;
  readonly #options: PassOptions;
  readonly #diff = new Digester();
  readonly #tar = new TarWriter((bytes) => this.#diff.update(bytes));
  readonly #ring: RingProducer;
  readonly #writer: FileWriter;
  readonly #rows = new RowEncoder();
  readonly #folders: LayerEntry[] = [];
  /** First names of files that have several, by inode. */
  readonly #firstNames = new Map<string, CopiedEntry>();
  readonly #links: {
    readonly first: CopiedEntry;
    readonly entry: CopiedEntry;
  }[] = [];
  /** Large files that are copied, and how to get their digests. */
  readonly #digesting: {
    /** Of its row's digest. */
    readonly place: number;
    readonly file: SourceFile;
    /** The file had not changed by the end of the copy. */
    readonly same: boolean;
    readonly digest: () => RawDigest;
  }[] = [];
  readonly #buffer = Buffer.allocUnsafeSlow(ONE_READ + 1);
  #size = 0;

  constructor(options: PassOptions) {
    this.#options = options;
    this.#tree = `${options.folder}/diff`;
    this.#ring = new RingProducer(options.ring);
    this.#writer = new FileWriter(this.#tree);
    mkdirSync(this.#tree, 0o755);
  }

  get progress(): { files: number; bytes: number } {
    return { files: this.#rows.count, bytes: this.#size };
  }

  /** Large files take turns; all else is done, or with the helper, when this returns. */
  add(entry: PlannedEntry): Promise<void> | undefined {
    switch (entry.kind) {
      case 'make': {
        const { owner, time } = this.#options;
        this.#folder({ ...FOLDER, path: entry.path, mode: 0o755, ...owner, mtime: time, mtimeNsec: 0 });
        return undefined;
      }
      case 'keep': {
        const { mode, uid, gid, mtime, mtimeNsec } = entry.stat;
        const xattrs = readXattrs(pathInFolder(entry.place, ''));
        this.#folder({ ...FOLDER, path: entry.path, mode, uid, gid, mtime, mtimeNsec, xattrs: orNone(xattrs) });
        return undefined;
      }
      case 'copy':
        if (entry.file.type === 'file') return this.#file(entry);
        this.#options.digester.lookForXattrs(entry.file);
        if (entry.file.type !== 'directory') makeSpecial(this.#tree, this.#row(headerOf(entry, 0)));
        else {
          this.#folder(headerOf(entry, 0));
          if (entry.replaces) this.#opaque(entry.path);
        }
        return undefined;
    }
  }

  finish(index: string): LayerFacts {
    this.#ring.finish(this.#writer);
    this.#collect();
    for (const { first, entry } of this.#links) {
      entry.file.digest = first.file.digest;
      entry.file.xattrs = first.file.xattrs;
      linkSync(pathInFolder(this.#tree, first.path), pathInFolder(this.#tree, entry.path));
    }
    for (const row of this.#folders.reverse()) finishFolder(this.#tree, row);
    const tarSize = this.#tar.end();
    writeLayerIndex(index, this.#rows);
    return { diffId: this.#diff.diffId(), size: this.#size, tarSize, entries: this.#rows.count };
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }

  #row(planned: EntryHeader, digest?: RawDigest): LayerEntry {
    const row = this.#begin(planned, digest);
    this.#rows.add(row);
    return row;
  }

  #begin(planned: EntryHeader, digest?: RawDigest): LayerEntry {
    const header = notNewer(planned, this.#options.newest);
    return { ...header, digest: digest && digestOfRaw(digest), offset: this.#tar.begin(header) };
  }

  #folder(header: EntryHeader): void {
    makeFolder(this.#tree, header.path);
    this.#folders.push(this.#row(header));
  }

  #opaque(path: string): void {
    setXattr(pathInFolder(this.#tree, path), OPAQUE_XATTR, OPAQUE_VALUE);
    this.#row({ path, type: 'opaque', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 });
  }

  #file(entry: CopiedEntry): Promise<void> | undefined {
    const { path, file, isInFolder } = entry;
    const inode = isInFolder && file.stat.links > 1 ? nameOfInode(file) : undefined;
    const first = inode === undefined ? undefined : this.#firstNames.get(inode);
    if (first) {
      this.#row({ ...headerOf(first, 0), path, type: 'hardlink', linkTarget: first.path });
      this.#links.push({ first, entry });
      return undefined;
    }
    if (file.stat.size >= ONE_READ) return this.#large(entry, inode);
    this.#done(this.#small(entry), entry, inode);
    return undefined;
  }

  #done({ size }: LayerEntry, entry: CopiedEntry, inode: string | undefined): void {
    this.#size += size;
    if (inode !== undefined) this.#firstNames.set(inode, entry);
  }

  #small(entry: CopiedEntry): LayerEntry {
    const { path, file } = entry;
    const { digester } = this.#options;
    const source = openSource(file);
    let size: number;
    try {
      size = readSync(source, this.#buffer, 0, this.#buffer.length, null);
      if (size > ONE_READ) throw changedMeanwhile(file.path);
      const isKnown = digester.recall(file);
      digester.lookForXattrs(file, source);
      const same = isUnchanged(file, source);
      if (!isKnown || !same) digester.learn(file, sha256(this.#buffer.subarray(0, size)), same);
    } finally {
      closeSync(source);
    }
    const content = this.#buffer.subarray(0, size);
    const row = this.#row(headerOf(entry, size), file.digest);
    this.#tar.data(content);
    if (this.#linkShared(entry, row)) return row;
    if (row.xattrs || !this.#ring.offer(path, row, content)) this.#writer.file(encodeName(path), row, content);
    setXattrs(this.#tree, row);
    return row;
  }

  /** In pieces of 1 MiB. Its size stands in the tar before its content, so it must not change. */
  async #large(entry: CopiedEntry, inode: string | undefined): Promise<void> {
    const { file } = entry;
    const { digester, turn, onProgress } = this.#options;
    const isKnown = digester.recall(file);
    const source = openSource(file);
    try {
      digester.lookForXattrs(file, source);
      const row = this.#begin(headerOf(entry, file.stat.size), isKnown ? file.digest : undefined);
      const place = isKnown ? undefined : this.#rows.addUndigested(row);
      if (isKnown) this.#rows.add(row);
      const target = this.#openTarget(entry, row, !isKnown);
      for (let left = row.size; left > 0; ) {
        const room = this.#tar.reserve(Math.min(left, ONE_READ));
        readExactly(source, room, file);
        target.chunk(room);
        left -= room.length;
        if (!turn.isOver()) continue;
        onProgress({ files: this.#rows.count, bytes: this.#size + row.size - left });
        await turn.pass();
      }
      if (readSync(source, this.#buffer, 0, 1, null) > 0) throw changedMeanwhile(file.path);
      const same = isUnchanged(file, source);
      if (isKnown && !same) throw changedMeanwhile(file.path);
      const digest = target.close();
      if (place !== undefined) this.#digesting.push({ place, file, same, digest });
      setXattrs(this.#tree, row);
      this.#done(row, entry, inode);
    } finally {
      closeSync(source);
    }
  }

  /** Where the content of a large file goes; `close` tells how to get its digest. */
  #openTarget(entry: CopiedEntry, row: LayerEntry, needsDigest: boolean): LargeTarget {
    if (this.#linkShared(entry, row)) {
      const hash = createHash('sha256');
      return { chunk: (content) => void hash.update(content), close: () => () => hash.digest() };
    }
    const name = encodeName(row.path);
    if (row.xattrs || !this.#ring.isHelped) {
      const writer = this.#writer;
      writer.open(name, row, needsDigest);
      return { chunk: (content) => writer.chunk(content), close: () => constant(writer.close()) };
    }
    if (this.#digesting.length >= DIGESTS) this.#collect();
    const ring = this.#ring;
    const number = ring.open(name, row, needsDigest);
    const close = () => {
      ring.close();
      return () => ring.digest(number);
    };
    return { chunk: (content) => ring.chunk(content), close };
  }

  /** Takes the digests that have been computed for large files to where they belong. */
  #collect(): void {
    for (const { place, file, same, digest } of this.#digesting.splice(0)) {
      const raw = digest();
      this.#options.digester.learn(file, raw, same);
      this.#rows.fill(place, raw);
    }
  }

  /** Links a file that nobody else changes and that already is what its row says. */
  #linkShared({ file, attributes }: CopiedEntry, row: LayerEntry): boolean {
    const { uid, gid, mode, mtime, mtimeNsec } = file.stat;
    const isTimed = row.mtime === mtime && row.mtimeNsec === mtimeNsec;
    const isSame = row.uid === uid && row.gid === gid && row.mode === mode && isTimed;
    if (!attributes.isShared || !isSame) return false;
    try {
      linkSync(placeOf(file), pathInFolder(this.#tree, row.path));
      return true;
    } catch (error) {
      if (NOT_LINKABLE.includes(systemCode(error) ?? '')) return false;
      throw error;
    }
  }
}

interface LargeTarget {
  chunk(content: Uint8Array): void;
  close(): () => RawDigest;
}

/** Another disk, too many names. */
const NOT_LINKABLE = ['EXDEV', 'EMLINK'];

const FOLDER = { type: 'directory', size: 0 } as const;

function headerOf({ path, file, attributes }: CopiedEntry, size: number): EntryHeader {
  const { type, stat, linkTarget, xattrs } = file;
  const { owner = stat } = attributes;
  const mode = attributes.mode?.(stat.mode, type === 'directory') ?? stat.mode;
  const isNode = type === 'char' || type === 'block';
  return {
    path,
    type,
    mode: type === 'symlink' ? 0o777 : mode,
    uid: owner.uid,
    gid: owner.gid,
    size,
    mtime: stat.mtime,
    mtimeNsec: stat.mtimeNsec,
    linkTarget,
    device: isNode ? { major: stat.major, minor: stat.minor } : undefined,
    xattrs: xattrs && orNone(xattrs),
  };
}

const constant =
  <T>(value: T) =>
  () =>
    value;

function readExactly(fd: number, into: Buffer, file: SourceFile): void {
  for (let fill = 0; fill < into.length; ) {
    const count = readSync(fd, into, fill, into.length - fill, null);
    if (count === 0) throw changedMeanwhile(file.path);
    fill += count;
  }
}

const orNone = (xattrs: ReadonlyMap<string, Uint8Array>) => (xattrs.size > 0 ? xattrs : undefined);

function nameOfInode({ stat }: SourceFile): string {
  return `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inodeHigh}:${stat.inodeLow}`;
}
