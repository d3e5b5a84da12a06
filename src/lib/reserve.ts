import { randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFailure, systemCode } from './error.ts';

const PIECES = 24;
const PIECE_BYTES = 256 << 10;
/** What stays free for others when the reserve is filled. */
const LEFT_BYTES = 12 << 20;

/**
 * Disk space that is set aside for what gives space back: removing needs some, for a database's log to begin with, and on a
 * full disk nothing could be removed. It is a folder of files, so that it has inodes to give too. They are given up one by
 * one, and made anew when the disk has room.
 */
export class Reserve {
  readonly #folder: string;
  /** Nothing is missing: `fill` is called often. */
  #isWhole = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Does synchronous `work`; when that fails because the disk is full, gives up some space and does it again from its start. */
  spend<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isDiskFull(error) || !this.#giveUp()) throw error;
      }
    }
  }

  /** Makes what is missing, as far as the disk has room. */
  fill(): void {
    if (this.#isWhole) return;
    const bytes = Buffer.alloc(PIECE_BYTES);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      for (let piece = 0; piece < PIECES; piece++) {
        const path = join(this.#folder, String(piece));
        if (statSync(path, { throwIfNoEntry: false })?.size === PIECE_BYTES) continue;
        if (!hasRoom(this.#folder)) return;
        // Random, so that no file system can store it in less.
        writeFileSync(path, randomFillSync(bytes), { mode: 0o600 });
      }
      this.#isWhole = true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** False when there was nothing left. */
  #giveUp(): boolean {
    this.#isWhole = false;
    let piece: string | undefined;
    try {
      piece = readdirSync(this.#folder).at(-1);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    if (piece !== undefined) rmSync(join(this.#folder, piece));
    return piece !== undefined;
  }
}

function hasRoom(folder: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  return bavail * bsize >= LEFT_BYTES + PIECE_BYTES && (files === 0 || ffree > PIECES);
}

function isDiskFull(error: unknown): boolean {
  return (isFailure(error) && error.code === 'DISK_FULL') || ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '');
}
