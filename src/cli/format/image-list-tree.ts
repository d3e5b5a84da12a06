import { shortenId } from '../../oci/short-id.ts';
import type { ImageSummary, ManifestSummary } from '../../wire/image.ts';
import { humanSize } from './human.ts';
import { alignRows } from './rows.ts';

const TITLES = ['IMAGE', 'ID', 'DISK USAGE', 'CONTENT SIZE', 'EXTRA'];

/** Images with their platforms below them, as `images --tree` shows them; `U` marks those that containers use. */
export function imageListTree(summaries: readonly ImageSummary[]): string {
  return alignRows([TITLES, ...summaries.flatMap(imageLines)]);
}

function imageLines(summary: ImageSummary): string[][] {
  const names = (summary.RepoTags ?? []).filter((name) => name !== '<none>:<none>');
  const platforms = (summary.Manifests ?? []).filter(({ Kind }) => Kind === 'image');
  const content = platforms.reduce((sum, { Size }) => sum + Size.Content, 0);
  const isUsed = summary.Containers > 0 || platforms.some(({ ImageData }) => ImageData.Containers.length > 0);
  const own = [shortenId(summary.Id), humanSize(summary.Size, 3), humanSize(content, 3), isUsed ? 'U' : ''];
  return [
    ...names.slice(0, -1).map((name) => [name, '', '', '', '']),
    [names.at(-1) ?? '<untagged>', ...own],
    ...platforms.map((manifest, index) => platformLine(manifest, index === platforms.length - 1)),
  ];
}

function platformLine({ ID, Size, ImageData }: ManifestSummary, isLast: boolean): string[] {
  const { os, architecture, variant } = ImageData.Platform;
  const platform = [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
  const used = ImageData.Containers.length > 0 ? 'U' : '';
  const sizes = [humanSize(Size.Total, 3), humanSize(Size.Content, 3)];
  return [`${isLast ? '└─ ' : '├─ '}${platform}`, shortenId(ID), ...sizes, used];
}
