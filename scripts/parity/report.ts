import type { Result } from '../../test/system/harness.ts';
import type { ParityCase, ParityFamily } from './family.ts';

/** A case as both engines answered it. */
export interface Outcome {
  readonly family: ParityFamily;
  readonly case: ParityCase;
  readonly docker: Result;
  readonly strake: Result;
}

export function sameOutput({ docker, strake }: Outcome): boolean {
  return docker.stdout === strake.stdout && docker.stderr === strake.stderr;
}

export function sameCode({ docker, strake }: Outcome): boolean {
  return docker.code === strake.code;
}

/** The matrix as Markdown; `versions` are those of both engines and the client. */
export function matrix(outcomes: readonly Outcome[], versions: string): string {
  const families = [...new Set(outcomes.map(({ family }) => family))];
  const counted = (list: readonly Outcome[]) => {
    const same = list.filter((one) => sameCode(one) && sameOutput(one)).length;
    const codes = list.filter(sameCode).length;
    return `${list.length} | ${same} | ${codes} |`;
  };
  const different = outcomes.filter((one) => !(sameCode(one) && sameOutput(one)));
  return `${[
    '# Parity with Docker',
    '',
    `Written by \`node scripts/parity.ts\`, which runs every line below with the unmodified \`docker\` command against a real dockerd and a`,
    `Strake host and compares exit code, output and error output (IDs, times and paths of the machine aside). ${versions}`,
    '`run` stands for `docker run --network none`: most lines need no network.',
    '',
    '| family | cases | same output and exit code | same exit code |',
    '|---|--:|--:|--:|',
    ...families.map((family) => `| ${family.title} | ${counted(outcomes.filter((one) => one.family === family))}`),
    `| all | ${counted(outcomes)}`,
    '',
    '## Differences',
    '',
    ...different.flatMap(difference),
    '## Every case',
    ...families.flatMap((family) => [
      '',
      `### ${family.title}`,
      '',
      '| command | exit code | output |',
      '|---|---|---|',
      ...outcomes.filter((one) => one.family === family).map(row),
    ]),
  ].join('\n')}\n`;
}

function row(one: Outcome): string {
  const code = sameCode(one) ? `${one.docker.code}` : `${one.docker.code}, Strake ${one.strake.code}`;
  return `| ${inCell(one.case.script)} | ${code} | ${sameOutput(one) ? 'same' : 'differs'} |`;
}

function difference(one: Outcome): string[] {
  const shown = ({ code, stdout, stderr }: Result) =>
    `${stdout}${stderr}`.slice(0, 1500).trimEnd() || `(exit code ${code})`;
  return [
    `${one.case.differs ?? 'Not explained.'}`,
    '',
    '```text',
    `$ ${one.case.script}`,
    `docker (${one.docker.code}): ${shown(one.docker)}`,
    `strake (${one.strake.code}): ${shown(one.strake)}`,
    '```',
    '',
  ];
}

function inCell(script: string): string {
  const text = script.replaceAll('|', '\\|');
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}
