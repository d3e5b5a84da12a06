import { shortenId } from '../../oci/short-id.ts';
import type { HistoryRow } from '../../wire/image.ts';
import { defineCommand } from '../command.ts';
import { platformFlag, tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { humanSize, rfc3339, timeAgo } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { ellipsis } from '../format/words.ts';

export const history = defineCommand({
  short: 'Show the history of an image',
  usage: 'IMAGE',
  count: [1, 1],
  aliases: ['image history', 'history'],
  flags: {
    format: tableFormatFlag,
    human: toggle('Show sizes and dates in words', { short: 'H', initial: true }),
    noTrunc: toggle('Show complete IDs and commands'),
    platform: platformFlag,
    quiet: toggle('Show only IDs', { short: 'q' }),
  },
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const history = await client.json<HistoryRow[]>('GET', `/images/${name}/history`, {
      query: { platform: flags.platform || undefined },
      signal: session.signal,
    });
    const rows = history.map((entry) => historyRow(entry, { human: flags.human, whole: flags.noTrunc }));
    const created = flags.human ? 'CreatedSince' : 'CreatedAt';
    const columns = ['ID', created, 'CreatedBy', 'Size', 'Comment'];
    const quiet = flags.quiet ? 'ID' : undefined;
    session.stdout.write(await renderRows(rows, { titles: TITLES, columns, format: flags.format, quiet }));
    return 0;
  },
});

const TITLES = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
};

/** A history entry as a row. */
export function historyRow(entry: HistoryRow, options: { human: boolean; whole: boolean }, now = Date.now()): Row {
  const command = entry.CreatedBy.replaceAll('\t', ' ');
  return {
    ID: options.whole ? entry.Id : shortenId(entry.Id),
    CreatedSince: options.human ? timeAgo(entry.Created, now) : rfc3339(entry.Created),
    CreatedAt: rfc3339(entry.Created),
    CreatedBy: options.whole ? command : ellipsis(command, 45),
    Size: options.human ? humanSize(entry.Size, 3) : String(entry.Size),
    Comment: entry.Comment,
  };
}
