import { instructionText } from '../../oci/instruction-text.ts';
import type { StepShape, WasteGroup, WasteKind, WasteReport } from '../../wire/insight.ts';
import { imageRoute, strakeHost } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { text } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { shownPath } from '../format/shown-path.ts';
import { ellipsis } from '../format/words.ts';

export const imageWaste = defineCommand({
  short: 'Show bytes that later layers hide or repeat, and the edit that saves them',
  usage: 'IMAGE',
  count: [1, 1],
  flags: { format: text("Output format: 'json'") },
  async run(session, { flags, args: [image = ''] }) {
    const client = await strakeHost(session);
    const answer = await client.text('GET', imageRoute(image, 'waste'), { signal: session.signal });
    const report: WasteReport = JSON.parse(answer);
    session.stdout.write(flags.format === 'json' ? answer : reportText(report));
    return 0;
  },
});

const REASONS: Readonly<Record<WasteKind, string>> = {
  deleted: 'deleted by',
  moved: 'moved by',
  replaced: 'replaced by',
  attributes: 'stored again for other attributes by',
  repeated: 'a repetition of',
};

function reportText({ Total, Wasted, Efficiency, Groups }: WasteReport): string {
  const percent = (Math.floor(Efficiency * 1000) / 10).toFixed(1);
  const sum = `${humanSize(Wasted)} of ${humanSize(Total)} are of no use: efficiency ${percent} %\n`;
  return Groups.map(groupText).join('') + sum;
}

function groupText(group: WasteGroup): string {
  const files = group.Files === 1 ? '1 file' : `${group.Files} files`;
  const more = group.Files > group.Examples.length ? `, ${group.Files - group.Examples.length} more` : '';
  return [
    `${humanSize(group.Bytes)} in ${files} of ${stepText(group.Stored)}`,
    `  ${REASONS[group.Kind]} ${stepText(group.By)}`,
    `  ${shownPath(group.Examples.join(', '))}${more}`,
    `  save them: ${group.Advice}\n\n`,
  ].join('\n');
}

function stepText({ Number: number, CreatedBy }: StepShape): string {
  const instruction = ellipsis(instructionText(CreatedBy), 60);
  return `step ${number}${instruction === '' ? '' : ` (${instruction})`}`;
}
