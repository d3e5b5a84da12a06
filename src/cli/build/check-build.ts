import { writeFileSync } from 'node:fs';
import type { BuildEvent } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { Output } from '../session.ts';
import { plainLine } from '../terminal/text-width.ts';
import { buildEvents } from './follow-build.ts';

/** `build --check`: prints what the host finds in the Dockerfile. Returns the exit code: 1 when it found something. */
export async function printCheck(lines: AsyncIterable<ProgressLine>, output: Output): Promise<number> {
  let count = 0;
  for await (const event of buildEvents(lines)) {
    if (event.type !== 'lint') continue;
    count++;
    output.write(`${findingText(event)}\n`);
  }
  output.write(
    count === 0
      ? 'Check complete, no warnings found.\n'
      : `Check complete, ${count} ${count === 1 ? 'warning has' : 'warnings have'} been found!\n`,
  );
  return count === 0 ? 0 : 1;
}

/** `--metadata-file`: what tools read of a build that succeeded, under the names of BuildKit's clients. */
export function writeMetadata(
  file: string,
  built: { readonly image: string; readonly names: readonly string[] },
): void {
  const metadata = {
    'containerimage.config.digest': built.image,
    'containerimage.digest': built.image,
    ...(built.names.length > 0 && { 'image.name': built.names.join(',') }),
  };
  writeFileSync(file, `${JSON.stringify(metadata, null, 2)}\n`);
}

function findingText({ rule, level, message, page, excerpt }: Extract<BuildEvent, { type: 'lint' }>): string {
  const shown = excerpt.split('\n').map(plainLine).join('\n');
  return `${level}: ${rule}: ${plainLine(message)} (${page})\n${shown}\n`;
}
