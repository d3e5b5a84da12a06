import type { FileHandle } from 'node:fs/promises';
import { limiter } from '../../lib/limiter.ts';
import { diskFailure } from '../../store/disk.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import { archivePieces, planArchive } from './archive-pieces.ts';
import type { SelectedImage } from './select-images.ts';

export interface WriteNeeds {
  readonly store: Store;
  /** Writes the tar of a layer into an open file; `data-loss` when it is not what the diff ID says. */
  readonly packInto: (
    layer: LayerRecord,
    to: { readonly file: number; readonly place: number },
    options: { readonly signal: AbortSignal },
  ) => Promise<void>;
}

/** Layers that are packed at the same time. */
const WIDTH = 2;

/** As `saveArchive`, into an empty file. Every place in it is known at the start, so several layers are packed at once. */
export async function writeArchive(
  needs: WriteNeeds,
  selected: readonly SelectedImage[],
  { file, signal }: { readonly file: FileHandle; readonly signal: AbortSignal },
): Promise<void> {
  const plan = planArchive(needs.store, selected);
  using _lease = plan.lease;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const limit = limiter(WIDTH);
  const writing: Promise<void>[] = [];
  let place = 0;
  for (const piece of archivePieces(plan, 'docker')) {
    const at = place;
    place += 'diffId' in piece ? piece.tarSize : piece.length;
    const work =
      'diffId' in piece
        ? limit(() => needs.packInto(piece, { file: file.fd, place: at }, { signal: either }))
        : writeAll(file, piece, at);
    work.catch((error: unknown) => stop.abort(error));
    writing.push(work);
  }
  await Promise.allSettled(writing);
  if (!signal.aborted && stop.signal.aborted) throw diskFailure(stop.signal.reason, 'the file of the archive');
  await Promise.all(writing);
}

async function writeAll(file: FileHandle, bytes: Buffer, place: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, place + at)).bytesWritten;
}
