import { join } from 'node:path';
import { Failure } from '../../lib/error.ts';
import { countedSize } from '../../tar/layer-entry.ts';
import { readLayerIndex } from '../../tar/layer-index.ts';
import { readContent } from '../../tar/pack-layer.ts';
import { viewOf } from '../../tar/stack/image-view.ts';
import { LayerStack } from '../../tar/stack/layer-stack.ts';
import type { FileRow } from '../../wire/insight.ts';
import { blamePath } from './blame-path.ts';
import { diffImages, type StackedImage } from './diff-images.ts';
import { findFiles } from './find-files.ts';
import { findWaste } from './find-waste.ts';
import { layerChanges } from './layer-changes.ts';
import { rebaseConflicts } from './rebase-conflicts.ts';
import { resolvePath } from './resolve-path.ts';
import { fileRow } from './shapes.ts';
import type { NamedImage, StoredImage } from './stored-image.ts';

/** What can be asked of the indexes of layers. `read` is answered with bytes, the others with JSON lines. */
export type Question =
  | { readonly kind: 'files'; readonly image: StoredImage; readonly path: string }
  | { readonly kind: 'read'; readonly image: StoredImage; readonly path: string }
  | { readonly kind: 'find'; readonly images: readonly NamedImage[]; readonly pattern: string }
  | { readonly kind: 'changes'; readonly image: StoredImage; readonly step: number; readonly path: string }
  | { readonly kind: 'diff'; readonly first: StoredImage; readonly second: StoredImage }
  | { readonly kind: 'blame'; readonly image: StoredImage; readonly path: string }
  | { readonly kind: 'waste'; readonly image: StoredImage; readonly baseLayers: number }
  | { readonly kind: 'conflicts'; readonly base: StoredImage; readonly onto: StoredImage; readonly own: StoredImage };

/** Answers a question in pieces. Blocks: meant for a worker thread. */
export function answerQuestion(question: Question): Generator<Buffer> {
  switch (question.kind) {
    case 'files':
      return jsonLines(listFiles(question.image, question.path));
    case 'read':
      return readFile(question.image, question.path);
    case 'find':
      return jsonLines(findFiles(question.images, question.pattern));
    case 'changes':
      return jsonLines(layerChanges(stackOf(question.image), question.step, question.path));
    case 'diff':
      return jsonLines(diffImages(stackOf(question.first), stackOf(question.second)));
    case 'blame':
      return jsonLines(blamePath(stackOf(question.image), question.path));
    case 'waste':
      return jsonLines([findWaste(stackOf(question.image), question.baseLayers)]);
    case 'conflicts':
      return jsonLines([rebaseConflicts(stackOf(question.base), stackOf(question.onto), stackOf(question.own).stack)]);
  }
}

function stackOf({ folders, steps }: StoredImage): StackedImage {
  return { stack: new LayerStack(folders.map((folder) => readLayerIndex(join(folder, 'index')).entries)), steps };
}

/** The entries of a folder, or the entry itself when it is none; a symlink to a folder is followed. */
function* listFiles(image: StoredImage, text: string): Generator<FileRow> {
  const { stack, steps } = stackOf(image);
  const { path, found } = resolvePath(stack, text, 'followed');
  if (path === '' || found?.entry.type === 'directory') {
    const start = path === '' ? 0 : path.length + 1;
    let row: FileRow | undefined;
    for (const entry of viewOf(stack, path)) {
      if (entry.path === path) continue;
      if (entry.path.includes('/', start)) {
        if (row) row.Total = (row.Total ?? 0) + countedSize(entry.entry);
        continue;
      }
      if (row) yield row;
      row = fileRow(entry, steps);
      if (row.Type === 'directory') row.Total = 0;
    }
    if (row) yield row;
    return;
  }
  const kept = resolvePath(stack, text, 'kept');
  if (!kept.found) throw missing(text);
  yield fileRow({ path: kept.path, ...kept.found }, steps);
}

function* readFile(image: StoredImage, text: string): Generator<Buffer> {
  const { path, found } = resolvePath(stackOf(image).stack, text, 'followed');
  if (!found && path !== '') throw missing(text);
  if (found?.content.type !== 'file')
    throw new Failure('invalid', 'NOT_A_FILE', `"/${path}" in the image is a ${found?.entry.type ?? 'directory'}`);
  let piece = Buffer.alloc(0);
  const reserve = (length: number) => {
    piece = Buffer.allocUnsafe(length);
    return piece;
  };
  const tree = join(image.folders[found.layer] ?? '', 'diff');
  for (const _ of readContent(tree, path, 0, found.content.size, reserve)) yield piece;
}

const PIECE = 256 << 10;

function* jsonLines(values: Iterable<unknown>): Generator<Buffer> {
  let text = '';
  for (const value of values) {
    text += `${JSON.stringify(value)}\n`;
    if (text.length < PIECE) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

function missing(path: string): Failure {
  return new Failure('not-found', 'PATH_NOT_FOUND', `no "${path}" in the image`);
}
