import { createHash, type Hash, hash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { deviceNumber, makeNode, setTimes, setXattr } from '../host/file-system-calls.ts';
import { Failure } from '../lib/error.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { countedSize, type LayerEntry } from '../tar/layer-entry.ts';
import type { LayerIndexWriter } from '../tar/layer-index.ts';
import { encodeName } from '../tar/names.ts';
import type { TarEntry, TarHandler } from '../tar/tar-reader.ts';
import { isOverlayXattr, meaningOf, WHITEOUT_PREFIX } from '../tar/whiteout.ts';
import { FileContents } from './file-contents.ts';
import { PrivateTree, refused, splitName, type TreeNode } from './private-tree.ts';

export interface ApplierOptions {
  readonly target: string;
  readonly form: 'layer' | 'plain';
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly devices: 'keep' | 'refuse';
  readonly limits: { readonly bytes: number; readonly entries: number };
  readonly index: LayerIndexWriter;
}

/** A file whose content is coming. */
interface OpenFile {
  readonly node: TreeNode;
  readonly entry: TarEntry;
  readonly row: LayerEntry;
  readonly file: number;
  position: number;
  /** Undefined as long as the content may still come in one piece. */
  hash: Hash | undefined;
  digest: Digest | undefined;
}

const WRITE = 'wx';
const ZEROS = Buffer.alloc(1 << 16);
const EMPTY = sha256(Buffer.alloc(0));
const DEFAULT_ROOT = { mode: 0o755, uid: 0, gid: 0 };
const NODE_TYPES: Readonly<Record<string, number>> = { char: 0o020000, block: 0o060000, fifo: 0o010000 };

/** Makes the entries of a tar on disk, and the rows of the index. Every call blocks. */
export class EntryApplier implements TarHandler {
  readonly #options: ApplierOptions;
  readonly #tree: PrivateTree;
  readonly #contents: FileContents;
  #open: OpenFile | undefined;
  #expanded = 0;
  /** Entries so far. */
  entries = 0;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#contents = new FileContents(options.index, options.form === 'layer', (node) => this.#tree.diskPath(node));
    this.#tree = new PrivateTree(options.target, {
      reserved: options.form === 'layer' ? WHITEOUT_PREFIX : undefined,
      onRemove: (node) => this.#contents.forget(node),
    });
  }

  entry(entry: TarEntry): void {
    const { limits } = this.#options;
    if (++this.entries > limits.entries)
      throw new Failure('exhausted', 'TOO_MANY_ENTRIES', `the archive has more than ${limits.entries} entries`);
    const { directory, name } = splitName(entry.path);
    if (this.#options.form === 'layer') {
      if (/(?:^|\/)\.wh\.\.wh\./.test(directory)) return; // inside of a mark of aufs
      if (this.#mark(entry, directory, name)) return;
    }
    if (name === '') {
      if (entry.type !== 'directory') throw refused(entry.path, 'would replace the root directory');
      this.#tree.root.row = this.#rowOf(entry, this.#tree.root);
      return;
    }
    this.#make(entry, this.#tree.directory(directory), name);
  }

  data(bytes: Buffer): void {
    const open = this.#open;
    if (!open) {
      this.raw(bytes); // of an entry that is skipped
      return;
    }
    this.#contents.stored(open.node, open.position, bytes.length);
    if (open.position === 0 && bytes.length === open.entry.size) open.digest = sha256(bytes);
    else {
      open.hash ??= createHash('sha256');
      open.hash.update(bytes);
    }
    for (let at = 0; at < bytes.length; ) at += writeSync(open.file, bytes, at, bytes.length - at, open.position + at);
    open.position += bytes.length;
  }

  hole(length: number): void {
    const open = this.#open;
    this.#expanded += length;
    if (this.#expanded > this.#options.limits.bytes)
      throw new Failure(
        'exhausted',
        'EXPANDED_TOO_LARGE',
        `sparse files expand to more than ${this.#options.limits.bytes} bytes`,
      );
    if (!open) return;
    open.hash ??= createHash('sha256');
    for (let left = length; left > 0; left -= ZEROS.length)
      open.hash.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
    open.position += length;
  }

  close(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    const { file, node } = open;
    const row: LayerEntry = {
      ...open.row,
      digest: open.digest ?? (open.hash ? parseDigest(`sha256:${open.hash.digest('hex')}`) : EMPTY),
    };
    node.row = row;
    try {
      if (open.hash) ftruncateSync(file, row.size); // a hole at the end
      if (row.uid !== OWN_UID || row.gid !== OWN_GID) fchownSync(file, row.uid, row.gid);
      if ((row.mode & ~0o777) !== 0 || (row.mode & UMASK) !== 0) fchmodSync(file, row.mode);
      this.#setXattrs(node, row);
      if (hasPlainTime(row)) futimesSync(file, row.mtime, row.mtime);
    } finally {
      closeSync(file);
    }
    if (!hasPlainTime(row)) setTimes(this.#tree.diskPath(node), row.mtime, row.mtimeNsec);
  }

  /** Closes what is open, after a failure. */
  abandon(): void {
    if (this.#open) closeSync(this.#open.file);
    this.#open = undefined;
  }

  raw(bytes: Buffer): void {
    this.#contents.raw(bytes);
  }

  /** Gives directories their attributes, and writes the index. Returns the number of rows and the bytes of all files. */
  finish(): { rows: number; size: number } {
    const rows: LayerEntry[] = [];
    let size = 0;
    for (const node of this.#tree.nodes()) {
      if (node.kind === 'directory') this.#finishDirectory(node);
      if (node.row) rows.push(node.row);
      if (node.opaque) rows.push(markRow(node.path, 'opaque', node.opaque.offset));
      if (node.row) size += countedSize(node.row);
    }
    this.#options.index.finish(rows, this.#contents.recipe(rows));
    return { rows: rows.length, size };
  }

  /** Takes a whiteout or another mark of a layer; false when the entry is an ordinary one. */
  #mark(entry: TarEntry, directory: string, name: string): boolean {
    const meaning = meaningOf(name);
    if (meaning.kind === 'ordinary' && !isWhiteoutDevice(entry)) return false;
    if (meaning.kind === 'unusable') throw refused(entry.path, 'is a whiteout without a usable name');
    if (meaning.kind === 'meta') return true;
    const parent = this.#tree.directory(directory);
    if (meaning.kind === 'opaque') this.#tree.makeOpaque(parent, entry.offset);
    else {
      const hidden = meaning.kind === 'whiteout' ? meaning.name : name;
      const existing = parent.children.get(hidden);
      // A layer's whiteouts concern lower layers only: what this layer itself has under the name stays.
      if (existing?.kind === 'directory') this.#tree.makeOpaque(existing, entry.offset);
      else if (!existing) {
        const node = this.#tree.makeWhiteout(parent, hidden);
        node.row = markRow(node.path, 'whiteout', entry.offset);
      }
    }
    return true;
  }

  #make(entry: TarEntry, parent: TreeNode, name: string): void {
    if (entry.type === 'directory') {
      const node = this.#tree.makeDirectory(parent, name);
      node.row = this.#rowOf(entry, node);
      return;
    }
    if (entry.type === 'hardlink') {
      this.#link(entry, parent, name);
      return;
    }
    const existing = parent.children.get(name);
    if (existing) this.#tree.remove(existing);
    const isLink = entry.type === 'symlink';
    const target = entry.linkTarget ?? '';
    if (isLink && target === '') throw refused(entry.path, 'is a symbolic link without a target');
    if (entry.type !== 'file' && !isLink && entry.type !== 'fifo' && this.#options.devices === 'refuse')
      throw new Failure('denied', 'DEVICE_REFUSED', `tar entry "${entry.path}" is a device, which is refused here`);
    if (isWhiteoutDevice(entry)) throw refused(entry.path, 'is the device 0:0, a deleted name of overlayfs');
    const node = this.#tree.add(parent, name, isLink ? 'symlink' : 'other', target);
    const path = this.#tree.diskPath(node);
    const row = this.#rowOf(entry, node);
    if (entry.type === 'file') {
      const file = openSync(path, WRITE, entry.mode & 0o777);
      this.#open = { node, entry, row, file, position: 0, hash: undefined, digest: undefined };
      return;
    }
    if (isLink) symlinkSync(encodeName(target), path);
    else {
      const { major, minor } = entry.device ?? { major: 0, minor: 0 };
      makeNode(path, (NODE_TYPES[entry.type] ?? 0) | 0o600, deviceNumber(major, minor));
    }
    node.row = row;
    lchownSync(path, row.uid, row.gid);
    if (!isLink) chmodSync(path, row.mode);
    this.#setXattrs(node, row);
    setTimes(path, row.mtime, row.mtimeNsec);
  }

  #link(entry: TarEntry, parent: TreeNode, name: string): void {
    const target = this.#tree.find(entry.linkTarget ?? '');
    const wanted = `is a hard link to "${entry.linkTarget}", which`;
    if (!target || target.kind === 'whiteout' || !target.row)
      throw refused(entry.path, `${wanted} the archive does not have before it`);
    if (target.kind === 'directory') throw refused(entry.path, `${wanted} is a directory`);
    const existing = parent.children.get(name);
    if (existing === target) return;
    if (existing) this.#tree.remove(existing);
    const node = this.#tree.makeHardLink(target, parent, name);
    this.#contents.link(target, node, entry.offset);
  }

  #rowOf(entry: TarEntry, node: TreeNode): LayerEntry {
    const { owner } = this.#options;
    return {
      path: node.path,
      type: entry.type,
      mode: entry.type === 'symlink' ? 0o777 : entry.mode,
      uid: owner?.uid ?? entry.uid,
      gid: owner?.gid ?? entry.gid,
      size: entry.size,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      offset: entry.offset,
      linkTarget: entry.linkTarget,
      device: entry.device,
      xattrs: entry.xattrs && withoutOverlay(entry.xattrs),
      digest: undefined,
    };
  }

  #finishDirectory(node: TreeNode): void {
    if (!node.row && node.path !== '') node.row = impliedRow(node.path);
    const row = node.row ?? DEFAULT_ROOT;
    const path = this.#tree.diskPath(node);
    lchownSync(path, row.uid, row.gid);
    chmodSync(path, row.mode);
    if (!node.row) return;
    this.#setXattrs(node, node.row);
    setTimes(path, node.row.mtime, node.row.mtimeNsec);
  }

  #setXattrs(node: TreeNode, row: LayerEntry): void {
    if (!row.xattrs) return;
    for (const [name, value] of row.xattrs) setXattr(this.#tree.diskPath(node), name, Buffer.from(value));
  }
}

const isWhiteoutDevice = ({ type, device }: TarEntry): boolean =>
  type === 'char' && device?.major === 0 && device.minor === 0;

/** Row of a whiteout or of an opaque mark, which have no attributes. */
export function markRow(path: string, type: 'whiteout' | 'opaque', offset: number): LayerEntry {
  return { path, type, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0, offset };
}

/** Row of a directory that the tar does not list, as Docker makes it; its time is 0 so that it is always the same. */
function impliedRow(path: string): LayerEntry {
  return { path, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0, offset: -1 };
}

/** Whether Node's own calls can set the time: they round to microseconds, and take a negative one for now. */
const hasPlainTime = (row: LayerEntry): boolean => row.mtimeNsec === 0 && row.mtime >= 0;

function withoutOverlay(xattrs: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> | undefined {
  const kept = new Map([...xattrs].filter(([name]) => !isOverlayXattr(name)));
  return kept.size > 0 ? kept : undefined;
}

function sha256(bytes: Buffer): Digest {
  return parseDigest(`sha256:${hash('sha256', bytes, 'hex')}`);
}

const OWN_UID = process.geteuid?.() ?? 0;
const OWN_GID = process.getegid?.() ?? 0;
const UMASK = process.umask();
