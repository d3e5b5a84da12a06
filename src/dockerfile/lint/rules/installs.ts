import type { RunInstruction } from '../../instruction.ts';
import type { LintModel, LintStage } from '../model.ts';
import { type PackageCommand, packageCommand } from '../packages.ts';
import type { TextEdit } from '../rule.ts';
import type { ShellWord } from '../shell.ts';

/** A RUN that calls package managers. */
export interface PackageRun {
  readonly stage: LintStage;
  readonly run: RunInstruction;
  readonly commands: readonly PackageCommand[];
}

/** The RUNs of all stages that call package managers. */
export function packageRuns(model: LintModel): PackageRun[] {
  const found: PackageRun[] = [];
  for (const stage of model.stages) {
    for (const run of stage.instructions) {
      if (run.kind !== 'RUN') continue;
      const commands = model.commands(run).flatMap((command) => packageCommand(command) ?? []);
      if (commands.length > 0) found.push({ stage, run, commands });
    }
  }
  return found;
}

/** Where a word of a RUN's command stands in `original`; undefined in heredocs and exec form. */
export function placeOf(command: PackageCommand, word: ShellWord): number | undefined {
  return command.command.base === undefined ? undefined : command.command.base + word.at;
}

/** The edit that writes `text` behind a word. */
export function insertBehind(
  model: LintModel,
  run: RunInstruction,
  command: PackageCommand,
  word: ShellWord,
  text: string,
): readonly TextEdit[] | undefined {
  const at = placeOf(command, word);
  if (at === undefined) return undefined;
  const edit = model.edit(run, at, at + word.raw.length, word.raw + text);
  return edit && [edit];
}

/** Whether a cache or tmpfs is mounted on one of the folders or above it. */
export function hasMountOn(run: RunInstruction, ...folders: string[]): boolean {
  return run.mounts.some(({ fields }) => {
    const type = fields.find(({ key }) => key === 'type')?.value;
    const target = fields.find(({ key }) => ['target', 'dst', 'destination'].includes(key))?.value?.replace(/\/$/, '');
    if ((type !== 'cache' && type !== 'tmpfs') || target === undefined) return false;
    return folders.some((folder) => folder === target || folder.startsWith(`${target}/`));
  });
}

/** Whether some command of the RUN deletes below the folder. */
export function removes(model: LintModel, run: RunInstruction, folder: string): boolean {
  return model
    .commands(run)
    .some(({ words }) => words.some(({ text }) => text === 'rm') && words.some(({ text }) => text.startsWith(folder)));
}
