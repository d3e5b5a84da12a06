import type { BuildAdvice, BuildExplanation, MissedStep } from '../../wire/build-explain.ts';
import { timeAgo } from '../format/human.ts';
import { plainLine } from '../terminal/text-width.ts';

/** The explanation of a build for people. */
export function whyText(build: BuildExplanation): string {
  const tags = build.Tags.length === 0 ? '' : ` of ${build.Tags.join(', ')}`;
  const worked = build.Cached + build.Missed;
  const count = build.Missed === 0 ? `all ${worked}` : `${build.Cached} of ${worked}`;
  const ended = build.Status === 'failed' ? `It failed at step ${build.FailedStep}.` : 'It was cancelled.';
  const lines = [
    `Build ${build.Id}${tags}, ${timeAgo(Date.parse(build.Started) / 1000)}: ${count} cacheable steps were in the cache`,
    ...(build.Status === 'succeeded' ? [] : [ended]),
    ...build.MissedSteps.flatMap((step) => ['', ...stepLines(step, build.Steps)]),
  ];
  const advice = adviceText(build.Advice);
  return `${lines.map((line) => `${plainLine(line)}\n`).join('')}${advice === '' ? '' : `\n${advice}`}`;
}

export function adviceText(advice: readonly BuildAdvice[]): string {
  if (advice.length === 0) return '';
  const lines = advice.map(({ Keeps, Text }) => {
    const steps = `${Keeps.length === 1 ? 'step' : 'steps'} ${Keeps.join(', ')}`;
    return `  - ${plainLine(Text)} (for ${steps})\n`;
  });
  return `What would have kept more of the cache:\n${lines.join('')}`;
}

function stepLines({ Step, Stage, Instruction, Text }: MissedStep, total: number): string[] {
  const stage = Stage === undefined ? '' : `[${Stage}] `;
  return [`Step ${Step}/${total} : ${stage}${Instruction}`, ...Text.map((line) => `  ${line}`)];
}
