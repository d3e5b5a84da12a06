import { instructionText } from '../../oci/instruction-text.ts';
import { shortenId } from '../../oci/short-id.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { BlameRow } from '../../wire/insight.ts';
import { imageRoute, insightRows } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { humanSize } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { shownPath } from '../format/shown-path.ts';
import { ellipsis } from '../format/words.ts';

export const blame = defineCommand({
  short: 'Show every step of an image that made, changed, shadowed or deleted a path',
  usage: 'IMAGE PATH',
  count: [2, 2],
  flags: { format: tableFormatFlag },
  async run(session, { flags, args: [image = '', path = ''] }) {
    const rows: Row[] = [];
    for await (const row of insightRows<BlameRow>(session, imageRoute(image, 'blame'), { path }))
      rows.push(blameColumns(row));
    const columns = ['Step', 'What', 'Mode', 'Owner', 'Size', 'CreatedBy'];
    session.stdout.write(await renderRows(rows, { titles: TITLES, columns, format: flags.format }));
    return 0;
  },
});

const TITLES = {
  Step: 'STEP',
  Layer: 'LAYER',
  Kind: 'KIND',
  What: 'WHAT',
  Path: 'PATH',
  Mode: 'MODE',
  Owner: 'OWNER',
  Size: 'SIZE',
  Digest: 'DIGEST',
  CreatedBy: 'CREATED BY',
};

function blameColumns(row: BlameRow): Row {
  const { After: after } = row;
  return {
    Step: String(row.Step.Number),
    Layer: shortenId(row.Step.Layer),
    Kind: row.Kind,
    What: whatText(row),
    Path: shownPath(row.Path),
    Mode: after ? fileMode(after.Type, after.Mode) : '',
    Owner: after ? `${after.Uid}:${after.Gid}` : '',
    Size: after ? humanSize(after.Size) : '',
    Digest: after?.Digest ?? '',
    CreatedBy: ellipsis(instructionText(row.Step.CreatedBy), 60),
  };
}

function whatText({ Kind, Changes, By }: BlameRow): string {
  switch (Kind) {
    case 'changed':
      return `changed (${(Changes ?? []).join(', ')})`;
    case 'shadowed':
      return `shadowed by ${shownPath(By ?? '')}`;
    default:
      return Kind;
  }
}
