import { Failure } from '../../lib/error.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { StoreCheckLine, StoreProblemRow } from '../../wire/store-check.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { toggle } from '../flags/flag.ts';

export const systemCheck = defineCommand({
  short: 'Prove that everything stored is whole',
  usage: '',
  count: [0, 0],
  flags: { repair: toggle('Mend what can be mended without losing anything that is whole') },
  async run(session, { flags }) {
    const client = await session.client();
    const answer = await client.request(flags.repair ? 'POST' : 'GET', '/strake/check', { signal: session.signal });
    for await (const line of readJsonLines<StoreCheckLine | ProgressLine>(answer.body)) {
      if ('Code' in line) session.stdout.write(`${problemText(line)}\n`);
      else if ('Problems' in line) {
        const looked = `${line.Images} images, ${line.Layers} layers, ${line.Blobs} blobs`;
        const problems = line.Problems === 1 ? '1 problem' : `${line.Problems} problems`;
        const found = line.Problems === 0 ? 'no problem' : `${problems}, ${line.Repaired} repaired`;
        session.stdout.write(`Checked ${looked}: ${found}\n`);
        return line.Problems > line.Repaired ? 1 : 0;
      } else if ('error' in line) throw new Failure('internal', 'CHECK_FAILED', line.error ?? '');
    }
    throw new Failure('data-loss', 'ANSWER_CUT', 'the host ended its answer before the check was complete');
  },
});

function problemText({ Message, Repair }: StoreProblemRow): string {
  switch (Repair) {
    case 'done':
      return `${Message}: repaired`;
    case 'possible':
      return `${Message}: --repair mends it`;
    case 'none':
      return Message;
  }
}
