import type { HistoryRow, ImageInspect, ImageSummary } from '../../wire/image.ts';
import type {
  BlameRow,
  ChangeRow,
  DiffLine,
  FileRow,
  FoundRow,
  ImageTree,
  LayerRow,
  WasteReport,
} from '../../wire/insight.ts';
import { ask, askJson, askLines, askStart } from './request.ts';
import { encodePath } from './text.ts';

/** Questions to a host, as its API answers them. Those with `strake` in their path no Docker host knows. */
export const host = {
  images: (signal: AbortSignal) => askJson<ImageSummary[]>('api/images/json?shared-size=1', signal),
  inspect: (image: string, signal: AbortSignal) => askJson<ImageInspect>(`api/images/${nameIn(image)}/json`, signal),
  history: (image: string, signal: AbortSignal) => askJson<HistoryRow[]>(`api/images/${nameIn(image)}/history`, signal),
  tree: (signal: AbortSignal) => askJson<ImageTree>('api/strake/images/tree', signal),
  layers: (image: string, signal: AbortSignal) => askJson<LayerRow[]>(about(image, 'layers'), signal),
  files: (image: string, path: string, signal: AbortSignal) =>
    askLines<FileRow>(about(image, `files?path=${encodePath(path)}`), signal),
  changes: (image: string, step: number, path: string, signal: AbortSignal) =>
    askLines<ChangeRow>(about(image, `changes?step=${step}&path=${encodePath(path)}`), signal),
  startOfFile: (image: string, path: string, limit: number, signal: AbortSignal) =>
    askStart(fileOf(image, path), limit, signal),
  wholeFile: (image: string, path: string, signal: AbortSignal) => ask(fileOf(image, path), signal),
  /** In all images when `image` is undefined. */
  find: (image: string | undefined, pattern: string, signal: AbortSignal) => {
    const where = image === undefined ? '' : `&image=${encodeURIComponent(image)}`;
    return askLines<FoundRow>(`api/strake/images/find?pattern=${encodePath(pattern)}${where}`, signal);
  },
  blame: (image: string, path: string, signal: AbortSignal) =>
    askLines<BlameRow>(about(image, `blame?path=${encodePath(path)}`), signal),
  waste: (image: string, signal: AbortSignal) => askJson<WasteReport>(about(image, 'waste'), signal),
  diff: (first: string, second: string, signal: AbortSignal) =>
    askLines<DiffLine>(about(first, `diff?with=${encodeURIComponent(second)}`), signal),
};

function about(image: string, question: string): string {
  return `api/strake/images/${nameIn(image)}/${question}`;
}

function fileOf(image: string, path: string): string {
  return about(image, `file?path=${encodePath(path)}`);
}

function nameIn(image: string): string {
  return image.split('/').map(encodeURIComponent).join('/');
}
