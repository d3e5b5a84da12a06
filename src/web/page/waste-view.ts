import { instructionText } from '../../oci/instruction-text.ts';
import type { WasteGroup, WasteReport } from '../../wire/insight.ts';
import { make, numberCell, table } from './element.ts';
import { host } from './host.ts';
import { imageHeading } from './image-view.ts';
import { cut, size, visible } from './text.ts';
import type { View, ViewCall } from './view.ts';

/** Bytes of an image that no container sees. */
export async function wasteView(image: string, { signal }: ViewCall): Promise<View> {
  const report = await host.waste(image, signal);
  const content = make('div', {}, imageHeading(image, 'waste', true), make('p', {}, summary(report)));
  if (report.Groups.length > 0)
    content.append(
      table(
        ['Bytes', 'Files', 'What happened', 'Largest', 'What would save them'],
        report.Groups.map(groupRow),
        'Waste',
      ),
    );
  return { title: `Waste of ${image}`, content };
}

function summary({ Total, Wasted, Efficiency }: WasteReport): string {
  if (Wasted === 0) return `All ${size(Total)} of its layers are of use.`;
  return `${size(Wasted)} of ${size(Total)} are of no use: ${(Efficiency * 100).toFixed(1)} % of its bytes are seen.`;
}

const WORDS: Readonly<Record<WasteGroup['Kind'], string>> = {
  deleted: 'deleted',
  moved: 'moved',
  replaced: 'replaced',
  attributes: 'stored again for another mode, owner or time',
  repeated: 'stored again',
};

function groupRow({ Kind, Bytes, Files, Stored, By, Examples, Advice }: WasteGroup) {
  const step = ({ Number: number, CreatedBy }: WasteGroup['Stored']) =>
    `step ${number} (${cut(visible(instructionText(CreatedBy)), 80)})`;
  return [
    numberCell(size(Bytes)),
    numberCell(Files),
    `of ${step(Stored)}, ${WORDS[Kind]} by ${step(By)}`,
    Examples.map((path) => make('div', {}, make('code', {}, visible(path)))),
    visible(Advice),
  ];
}
