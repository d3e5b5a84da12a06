import { createReadStream, mkdirSync } from 'node:fs';
import { isFailure } from '../../lib/error.ts';
import { applyStream } from '../../snapshot/apply-stream.ts';
import { decompress } from '../../tar/compression.ts';
import { BLOCK, parseHeaderBlock } from '../../tar/header-block.ts';
import { ContextTree } from '../context/context-tree.ts';
import { placeOf, rowsByPath, type SourceFile } from '../context/source-file.ts';
import type { Selection } from './select-sources.ts';

/** Whether ADD unpacks the file: a tar, compressed in a known way or not. The content decides, not the name. */
export async function isArchive(file: SourceFile, signal: AbortSignal): Promise<boolean> {
  if (file.type !== 'file') return false;
  const head = Buffer.alloc(BLOCK);
  let fill = 0;
  try {
    const bytes = decompress(createReadStream(placeOf(file), { highWaterMark: 1 << 16 }), {
      signal,
      limit: Infinity,
    });
    for await (const chunk of bytes) {
      fill += chunk.copy(head, fill);
      if (fill === BLOCK) break;
    }
    if (fill < BLOCK) return false;
    parseHeaderBlock(head, 0, 0);
    return true;
  } catch (error) {
    if (isFailure(error, 'invalid', 'exhausted')) return false;
    throw error;
  }
}

/** Unpacks an archive into a fresh folder, and selects what was in it with its own owners and modes. */
export async function unpackArchive(selection: Selection, folder: string, signal: AbortSignal): Promise<Selection> {
  const index = `${folder}/index`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const source = createReadStream(placeOf(selection.root), { highWaterMark: 1 << 18 });
  await applyStream(source, { target: `${folder}/tree`, index, form: 'plain' }, { signal });
  const tree = new ContextTree(`${folder}/tree`, undefined, { rows: rowsByPath(index) });
  const root = tree.find('');
  if (!root) throw new Error('an unpacked archive has no root');
  return {
    ...selection,
    root,
    walk: (visit) => tree.walk('', visit),
    attributes: { owner: undefined, mode: undefined, isShared: true },
  };
}
