import { instructionText } from '../../oci/instruction-text.ts';
import type { DiffLine, DiffRow, DiffSummary } from '../../wire/insight.ts';
import { imageRoute, insightRows, strakeHost } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { humanSize } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { shownPath } from '../format/shown-path.ts';
import { ellipsis } from '../format/words.ts';
import { writeAll } from '../session.ts';

export const imageDiff = defineCommand({
  short: 'Show what differs between the files of two images, and which step did it',
  usage: 'IMAGE IMAGE',
  count: [2, 2],
  flags: { format: tableFormatFlag },
  async run(session, { flags, args: [first = '', second = ''] }) {
    const route = imageRoute(first, 'diff');
    const query = { with: second };
    if (flags.format === 'json') {
      const client = await strakeHost(session);
      const answer = await client.request('GET', route, { query, signal: session.signal });
      for await (const chunk of answer.body) await writeAll(session.stdout, chunk);
      return 0;
    }
    const rows: Row[] = [];
    let summary: DiffSummary | undefined;
    for await (const line of insightRows<DiffLine>(session, route, query))
      if ('Path' in line) rows.push(diffColumns(line));
      else summary = line;
    const list = { titles: TITLES, columns: ['Kind', 'Path', 'Size', 'Step', 'CreatedBy'], format: flags.format };
    if (rows.length > 0 || flags.format !== '') session.stdout.write(await renderRows(rows, list));
    if (summary && flags.format === '') session.stdout.write(`${summaryText(summary)}\n`);
    return 0;
  },
});

const TITLES = {
  Kind: 'KIND',
  Path: 'PATH',
  Type: 'TYPE',
  Changes: 'CHANGES',
  Size: 'SIZE',
  Step: 'STEP',
  CreatedBy: 'CREATED BY',
};

const KINDS = { added: 'A', changed: 'C', removed: 'D' } as const;

function diffColumns(row: DiffRow): Row {
  const { SizeBefore: before = 0, SizeAfter: after = 0 } = row;
  return {
    Kind: KINDS[row.Kind],
    Path: shownPath(row.Path),
    Type: row.Type,
    Changes: (row.Changes ?? []).join(','),
    Size: signedSize(after - before),
    Step: row.StepOf === 'first' ? `${row.Step.Number} (first)` : String(row.Step.Number),
    CreatedBy: ellipsis(instructionText(row.Step.CreatedBy), 60),
  };
}

function summaryText({ Added, Changed, Removed, Bytes, TimeOnly }: DiffSummary): string {
  const times = TimeOnly === 0 ? '' : `, ${TimeOnly} in nothing but their time`;
  return `${Added} added, ${Changed} changed, ${Removed} removed: ${signedSize(Bytes)}${times}`;
}

function signedSize(bytes: number): string {
  return bytes < 0 ? `-${humanSize(-bytes)}` : bytes > 0 ? `+${humanSize(bytes)}` : '0B';
}
