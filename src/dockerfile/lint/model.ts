import type { Platform } from '../../oci/platform.ts';
import type { GlobalArgs } from '../global-args.ts';
import { evaluateGlobalArgs } from '../global-args.ts';
import { heredocText } from '../heredoc.ts';
import type { IgnorePattern } from '../ignore.ts';
import type {
  ArgInstruction,
  FromInstruction,
  Instruction,
  InstructionBase,
  InstructionKind,
  RunInstruction,
} from '../instruction.ts';
import type { Dockerfile } from '../parse.ts';
import { positionAt } from '../position.ts';
import { groupByStage } from '../stages.ts';
import type { TextEdit } from './rule.ts';
import { type ShellCommand, splitShell } from './shell.ts';

/** What is known besides the file. Rules that need what is absent stay silent. */
export interface LintOptions {
  readonly buildArgs?: Readonly<Record<string, string | null>>;
  readonly target?: string | undefined;
  readonly buildPlatform?: Platform;
  readonly targetPlatform?: Platform;
  /** Patterns of the .dockerignore file in force. */
  readonly ignore?: readonly IgnorePattern[];
  /** What the config of a base image says, by the name in FROM. */
  readonly baseImage?: (name: string) => BaseImage | undefined;
}

export interface BaseImage {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly user: string;
  readonly platform: Platform;
}

/** A Dockerfile as rules look at it. */
export interface LintModel {
  readonly dockerfile: Dockerfile;
  readonly options: LintOptions;
  readonly globalInstructions: readonly ArgInstruction[];
  readonly globals: GlobalArgs;
  readonly stages: readonly LintStage[];
  /** The stage that is built: the target, or the last. */
  readonly target: LintStage;
  /** The commands of a RUN, whatever its form. */
  commands(run: RunInstruction): readonly RunCommand[];
  /** The edit of `original` from `at` to `end`, or undefined when it would cross lines. */
  edit(instruction: InstructionBase, at: number, end: number, text: string): TextEdit | undefined;
  /** The edit of whole lines (from 1), line ends included. */
  editLines(first: number, last: number, text: string): TextEdit;
  /** Lines as written, without line ends. */
  readonly lines: readonly string[];
}

export interface LintStage {
  readonly index: number;
  readonly name: string | undefined;
  readonly from: FromInstruction;
  /** What FROM names, expanded; empty when it cannot be. */
  readonly image: string;
  /** The stage that FROM names. */
  readonly parent: LintStage | undefined;
  /** Config of the base image, when it is known; of scratch always. */
  readonly base: BaseImage | undefined;
  /** Without FROM. Instructions inside ONBUILD follow theirs. */
  readonly instructions: readonly Instruction[];
  /** The last instruction of each kind, of this stage or, when it has none, of those that it stands on. */
  readonly last: ReadonlyMap<InstructionKind, Instruction>;
}

export interface RunCommand extends ShellCommand {
  /** Where the text that the words' `at` counts from starts in `original`; undefined in heredocs and exec form. */
  readonly base: number | undefined;
}

const LINUX: Platform = { os: 'linux', architecture: 'amd64' };
const SCRATCH: BaseImage = { env: [], user: '', platform: LINUX };

/** Prepares a Dockerfile for the rules. Throws Failure for a file without FROM. */
export function lintModel(dockerfile: Dockerfile, options: LintOptions): LintModel {
  const groups = groupByStage(dockerfile);
  const globals = evaluateGlobalArgs(groups.globals, {
    buildArgs: options.buildArgs ?? {},
    buildPlatform: options.buildPlatform ?? LINUX,
    targetPlatform: options.targetPlatform ?? LINUX,
    targetStage: '',
    escape: dockerfile.escape,
  });
  const stages: LintStage[] = [];
  for (const { index, name, from, instructions } of groups.stages) {
    const image = expandOrEmpty(from.image, globals);
    const parent = stages.findLast((stage) => stage.name !== undefined && stage.name === image.toLowerCase());
    const own = image === 'scratch' ? SCRATCH : options.baseImage?.(image);
    const base = parent ? parent.base : own;
    const all = instructions.flatMap(withTrigger);
    const last = new Map(parent?.last);
    for (const instruction of all) last.set(instruction.kind, instruction);
    stages.push({ index, name, from, image, parent, base, instructions: all, last });
  }
  const wanted = options.target?.toLowerCase() ?? '';
  const target = stages.findLast(({ name }) => wanted !== '' && name === wanted) ?? stages.at(-1);
  if (!target) throw new RangeError('a Dockerfile has at least one stage');
  const { text } = dockerfile;
  const starts = lineStarts(text);
  const known = new Map<RunInstruction, readonly RunCommand[]>();
  return {
    dockerfile,
    options,
    globalInstructions: groups.globals,
    globals,
    stages,
    target,
    lines: text.split('\n').map((line) => line.replace(/\r$/, '')),
    commands(run) {
      const commands = known.get(run) ?? commandsOf(run);
      known.set(run, commands);
      return commands;
    },
    edit(instruction, at, end, replacement) {
      const first = positionAt(instruction.segments, at);
      const last = positionAt(instruction.segments, Math.max(at, end - 1));
      const line = starts[first.line - 1];
      if (first.line !== last.line || line === undefined) return undefined;
      const start = line + first.column - 1;
      return { start, end: start + end - at, text: replacement };
    },
    editLines(first, last, replacement) {
      return { start: starts[first - 1] ?? text.length, end: starts[last] ?? text.length, text: replacement };
    },
  };
}

function withTrigger(instruction: Instruction): Instruction[] {
  if (instruction.kind !== 'ONBUILD') return [instruction];
  return [instruction, { ...instruction.instruction, comments: instruction.comments }];
}

function expandOrEmpty(word: string, globals: GlobalArgs): string {
  try {
    return globals.expand(word).text;
  } catch {
    return '';
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function commandsOf(run: RunInstruction): RunCommand[] {
  const { command, heredocs } = run;
  if (command.form === 'exec') {
    const [shell = '', flag = '', script] = command.argv;
    const inner = /(^|\/)(ba|da|a|z|k)?sh$/.test(shell) && /^-[a-z]*c$/.test(flag) ? script : undefined;
    if (inner !== undefined) return splitShell(inner).map((item) => ({ ...item, base: undefined }));
    const words = command.argv.map((text) => ({ text, raw: text, at: 0, end: 0, plain: true }));
    return [{ words, operator: '', base: undefined }];
  }
  const base = run.original.length - command.text.length;
  const line = splitShell(command.text).map((item) => ({ ...item, base }));
  const script = heredocs[0];
  // A heredoc alone, or one that feeds a shell, is a script; any other is data.
  const first = line[0]?.words[0]?.text;
  if (!script || heredocs.length > 1 || (first !== undefined && !/^(\/bin\/)?(ba|da|a)?sh$/.test(first))) return line;
  if (script.content.startsWith('#!') && !/^#!.*\b(ba|da|a)?sh\b/.test(script.content)) return line;
  return [...line, ...splitShell(heredocText(script)).map((item) => ({ ...item, base: undefined }))];
}
