import { closeSync, constants, openSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { addressOf } from '../../host/libc.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { encodeName, pathInFolder } from '../../tar/names.ts';
import type { InputList } from './copy-inputs.ts';
import type { FileDigester } from './file-digester.ts';
import { readNote, writeNote } from './memo-file.ts';
import { hasState, putState, STATE_WORDS } from './quick-stat.ts';
import type { SourceFile, WalkPart } from './source-file.ts';

/** A list of fewer files is soon made. */
const WORTH = 1000;
/** A larger one is made anew each time: its note would take more than 25 MB. */
const LIMIT = 1 << 18;
const CHECKSUM = 4;

/** A list, and the states of all that it was made of. */
export interface RememberedList {
  /** Of the walk; undefined when it is the whole. */
  readonly part: WalkPart | undefined;
  readonly list: InputList;
  /** Folders, in the order of the walk; one comes again when the walk comes back to it. */
  readonly folders: readonly string[];
  /** Where the rows of each end. The first row of all is the root. */
  readonly ends: Uint32Array;
  /** The names of all rows, each with a NUL. */
  readonly names: Uint8Array;
  readonly states: Uint32Array;
}

/**
 * Remembers what the files in a large folder of a context are for a COPY: the list that was made of it, and the state of each
 * file and folder that was looked at for that. The names in a folder, a link's target, a file's content and attributes
 * cannot change without a change of a state that was settled: while all states are the same, so is the list. Whoever
 * asks looks at each file, and makes the list anew when any has changed.
 */
export class ListMemo {
  readonly #path: string;
  readonly #folder: string;
  readonly #root: SourceFile;

  /**
   * `memo` is where the notes of the context are, `root` the folder that is listed, and `question` all else that decides
   * what is in the list.
   */
  constructor(memo: string, root: SourceFile, question: readonly unknown[]) {
    const words = JSON.stringify([root.folder, root.path, ...question]);
    this.#path = `${memo}-${hexOf(digestOf(words)).slice(0, 32)}`;
    this.#folder = root.folder;
    this.#root = root;
  }

  /** The list of a part, which may not hold any more; without a part, that of the whole or of its first half. */
  recall(part: WalkPart | undefined): RememberedList | undefined {
    const bytes = readNote(this.#place(part));
    if (!bytes || bytes.length <= CHECKSUM) return undefined;
    const content = bytes.subarray(CHECKSUM);
    if (crc32(content) !== bytes.readUInt32LE()) return undefined;
    const found = deserialize(content) as RememberedList; // what `keep` wrote, as the checksum says
    return part === undefined || JSON.stringify(found.part) === JSON.stringify(part) ? found : undefined;
  }

  /** Whether all is as it was when the list was made. */
  holds({ folders, ends, names, states }: RememberedList): boolean {
    const root = new Uint32Array(STATE_WORDS);
    putState(this.#root.stat, root, 0);
    if (root.some((word, i) => word !== states[i])) return false;
    const start = addressOf(Buffer.from(names.buffer, names.byteOffset, names.length));
    const address = Number(start);
    let row = 1;
    let name = 0;
    for (const [number, folder] of folders.entries()) {
      const fd = openFolder(pathInFolder(this.#folder, folder));
      if (fd === undefined) return false;
      try {
        for (const end = ends[number] ?? 0; row < end; row++) {
          const next = names.indexOf(0, name) + 1;
          if (next === 0 || !hasState(fd, address + name, states, row * STATE_WORDS, this.#root.clock)) return false;
          name = next;
        }
      } finally {
        closeSync(fd);
      }
    }
    return name === names.length;
  }

  /** A record of what is looked at while a list is made. */
  record(digester: FileDigester): ListRecord {
    return new ListRecord(this.#root, digester);
  }

  /** Remembers a list, if it is worth that and everything on record is sure to show a change. */
  keep(record: ListRecord, part: WalkPart | undefined, list: InputList): void {
    const remembered = record.finish(part, list);
    if (!remembered) return;
    const content = serialize(remembered);
    const checksum = Buffer.alloc(CHECKSUM);
    checksum.writeUInt32LE(crc32(content));
    writeNote(this.#place(part), [checksum, content]);
  }

  #place(part: WalkPart | undefined): string {
    return part && 'from' in part ? `${this.#path}-2` : `${this.#path}-1`;
  }
}

/** What was looked at. */
class ListRecord {
  readonly #digester: FileDigester;
  readonly #folders: string[] = [];
  readonly #ends: number[] = [];
  readonly #names: string[] = [];
  #states = new Uint32Array(STATE_WORDS * WORTH);
  #count = 0;
  #isSure = true;

  constructor(root: SourceFile, digester: FileDigester) {
    this.#digester = digester;
    this.#row(root);
  }

  readonly add = (file: SourceFile): void => {
    if (!this.#isSure || !this.#row(file)) return;
    const length = Math.max(0, file.path.lastIndexOf('/'));
    const folder = this.#folders.at(-1);
    if (folder?.length !== length || !file.path.startsWith(folder)) {
      this.#folders.push(file.path.slice(0, length));
      this.#ends.push(0);
    }
    this.#names.push(file.path.slice(length === 0 ? 0 : length + 1));
    this.#ends[this.#ends.length - 1] = this.#count;
  };

  finish(part: WalkPart | undefined, list: InputList): RememberedList | undefined {
    if (!this.#isSure || this.#count < WORTH) return undefined;
    return {
      part,
      list: { ...list, listing: Uint8Array.from(list.listing) },
      folders: this.#folders,
      ends: Uint32Array.from(this.#ends),
      names: encodeName(`${this.#names.join('\0')}\0`),
      states: this.#states.subarray(0, this.#count * STATE_WORDS),
    };
  }

  #row(file: SourceFile): boolean {
    this.#isSure &&= this.#count < LIMIT && this.#digester.isSettled(file);
    if (!this.#isSure) return false;
    const at = this.#count++ * STATE_WORDS;
    if (at === this.#states.length) {
      const grown = new Uint32Array(2 * this.#states.length);
      grown.set(this.#states);
      this.#states = grown;
    }
    putState(file.stat, this.#states, at);
    return true;
  }
}

function openFolder(path: string | Buffer): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return undefined; // what hinders is told when the list is made anew
  }
}
