import { Failure } from '../../lib/error.ts';
import { shortenId } from '../../oci/short-id.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filterFlag, tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import type { ValuesOf } from '../flags/parse-flags.ts';
import { goTime, humanSize, timeAgo } from '../format/human.ts';
import { imageListTree } from '../format/image-list-tree.ts';
import { type Row, renderRows } from '../format/rows.ts';
import type { Session } from '../session.ts';

export const imageListFlags = {
  all: toggle('Show intermediate images too', { short: 'a' }),
  digests: toggle('Show digests'),
  filter: filterFlag,
  format: tableFormatFlag,
  noTrunc: toggle('Show complete IDs'),
  quiet: toggle('Show only IDs', { short: 'q' }),
  tree: toggle('Show images with their platforms and who uses them'),
};

export const images = defineCommand({
  short: 'List images',
  usage: '[REPOSITORY[:TAG]]',
  count: [0, 1],
  aliases: ['image ls', 'image list', 'images'],
  flags: imageListFlags,
  async run(session, { flags, args }) {
    await printImages(session, flags, args);
    return 0;
  },
});

/** What lists of images take; `names` are those that are asked for. */
export async function printImages(
  session: Session,
  flags: ValuesOf<typeof imageListFlags>,
  names: readonly string[],
): Promise<void> {
  const client = await session.client();
  const filters = [...flags.filter, ...names.map((name) => `reference=${name}`)];
  if (flags.tree) checkTreeFlags(flags);
  const summaries = await client.json<ImageSummary[]>('GET', '/images/json', {
    query: { all: flags.all, filters: filtersQuery(filters), manifests: flags.tree || undefined },
    signal: session.signal,
  });
  if (flags.tree) {
    const shown = summaries.filter(({ RepoTags }) => flags.all || (RepoTags ?? []).length > 0);
    session.stdout.write(imageListTree(shown));
    return;
  }
  const digests = flags.digests || flags.format.includes('.Digest');
  const rows = summaries.flatMap((summary) => imageRows(summary, { digests, whole: flags.noTrunc }));
  session.stdout.write(await renderRows(rows, listSpec(flags)));
}

/** The tree has one form only; refuses in the words of Docker's client. */
function checkTreeFlags(flags: ValuesOf<typeof imageListFlags>): void {
  const refused = [
    flags.quiet && '--quiet',
    flags.noTrunc && '--no-trunc',
    flags.digests && '--show-digest',
    flags.format !== '' && '--format',
  ].find((name) => name !== false);
  if (refused) throw new Failure('invalid', 'TREE_FLAGS', `${refused} is not yet supported with --tree`);
}

/** Titles and columns of image lists. */
function listSpec(flags: { digests: boolean; format: string; quiet: boolean }) {
  const digest = flags.digests ? ['Digest'] : [];
  return {
    titles: TITLES,
    columns: ['Repository', 'Tag', ...digest, 'ID', 'CreatedSince', 'Size'],
    format: flags.format,
    quiet: flags.quiet ? 'ID' : undefined,
  };
}

const TITLES = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

const NONE = '<none>';

/** One row for each name of an image, and one for an image without names. */
export function imageRows(
  summary: ImageSummary,
  options: { digests: boolean; whole: boolean },
  now = Date.now(),
): Row[] {
  const known = (value: number | undefined) => value !== undefined && value >= 0;
  const row = (repository: string, tag: string, digest: string): Row => ({
    ID: options.whole ? summary.Id : shortenId(summary.Id),
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedSince: timeAgo(summary.Created, now),
    CreatedAt: () => goTime(summary.Created),
    Size: humanSize(summary.Size, 3),
    Containers: known(summary.Containers) ? String(summary.Containers) : 'N/A',
    VirtualSize: humanSize(summary.Size),
    SharedSize: known(summary.SharedSize) ? humanSize(summary.SharedSize) : 'N/A',
    UniqueSize: known(summary.SharedSize) ? humanSize(summary.Size - summary.SharedSize) : 'N/A',
  });

  const tags = byRepository(summary.RepoTags, ':');
  const digests = byRepository(summary.RepoDigests, '@');
  const rows: Row[] = [];
  for (const [repository, names] of tags) {
    const shown = options.digests ? (digests.get(repository) ?? []) : [];
    digests.delete(repository);
    for (const tag of names)
      for (const digest of shown.length > 0 ? shown : [NONE]) rows.push(row(repository, tag, digest));
  }
  for (const [repository, values] of digests)
    for (const digest of options.digests ? values : [NONE]) rows.push(row(repository, NONE, digest));
  return rows.length > 0 ? rows : [row(NONE, NONE, NONE)];
}

function byRepository(names: readonly string[] | null | undefined, separator: string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names ?? []) {
    if (name.startsWith(NONE)) continue;
    const at = name.lastIndexOf(separator);
    const repository = name.slice(0, at);
    groups.set(repository, [...(groups.get(repository) ?? []), name.slice(at + 1)]);
  }
  return groups;
}
