import { Failure } from '../../lib/error.ts';
import type { BuildExplanation, MissedStep } from '../../wire/build-explain.ts';
import { defineCommand } from '../command.ts';
import { text } from '../flags/flag.ts';
import { timeAgo } from '../format/human.ts';
import { plainLine } from '../terminal/text-width.ts';

export const why = defineCommand({
  short: 'Explain why steps of a build were not taken from the cache',
  usage: '[BUILD | IMAGE]',
  count: [0, 1],
  flags: { format: text("Output format: 'text' or 'json'", { initial: 'text', shown: '"text"' }) },
  async run(session, { flags, args: [build] }) {
    if (!['text', 'json'].includes(flags.format))
      throw new Failure('invalid', 'FORMAT', `invalid format "${flags.format}": expected text or json`);
    const client = await session.client();
    const query = { build };
    const { signal } = session;
    const explanation = await client.json<BuildExplanation>('GET', '/strake/builds/explain', { query, signal });
    session.stdout.write(flags.format === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : whyText(explanation));
    return 0;
  },
});

/** The explanation for people. */
export function whyText(build: BuildExplanation): string {
  const tags = build.Tags.length === 0 ? '' : ` of ${build.Tags.join(', ')}`;
  const worked = build.Cached + build.Missed;
  const count = build.Missed === 0 ? `all ${worked}` : `${build.Cached} of ${worked}`;
  const lines = [
    `Build ${build.Id}${tags}, ${timeAgo(Date.parse(build.Started) / 1000)}: ${count} cacheable steps were in the cache`,
    ...(build.Status === 'succeeded'
      ? []
      : [`It ${build.Status === 'failed' ? `failed at step ${build.FailedStep}` : 'was cancelled'}.`]),
    ...build.MissedSteps.flatMap((step) => ['', ...stepLines(step, build.Steps)]),
    ...(build.Advice.length === 0 ? [] : ['', 'What would have kept more of the cache:']),
    ...build.Advice.map(
      ({ Keeps, Text }) => `  - ${Text} (for ${Keeps.length === 1 ? 'step' : 'steps'} ${Keeps.join(', ')})`,
    ),
  ];
  return lines.map((line) => `${plainLine(line)}\n`).join('');
}

function stepLines({ Step, Stage, Instruction, Text }: MissedStep, total: number): string[] {
  const stage = Stage === undefined ? '' : `[${Stage}] `;
  return [`Step ${Step}/${total} : ${stage}${Instruction}`, ...Text.map((line) => `  ${line}`)];
}
