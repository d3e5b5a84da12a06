/**
 * The Dockerfile instructions as types. Words, which may hold `$variables` and quotes, stand here as they are written: a build
 * expands them when it reaches the instruction.
 * Reference: https://docs.docker.com/reference/dockerfile/
 */
import type { SourceRange } from '../lib/error.ts';

export type InstructionKind = Instruction['kind'];

/** What every instruction has. */
export interface InstructionBase {
  readonly source: SourceRange;
  /** The text as Docker prints it in `Step i/n : ...`: continuation lines joined, comments inside removed. */
  readonly original: string;
  /** Where the pieces of `original` stand in the file, for `positionAt`. */
  readonly segments: readonly Segment[];
  /** The instruction's name as written: `RUN`, `run`, `Run`. */
  readonly keyword: string;
  readonly flags: readonly FlagWord[];
  /** Bodies that follow the line, in order: `RUN`, `COPY`, `ADD` and `ONBUILD` of these only. */
  readonly heredocs: readonly Heredoc[];
  /** Comment lines directly above, without `#`. */
  readonly comments: readonly Comment[];
  /** Empty lines between continuation lines, which Docker only warns of. */
  readonly emptyLines: readonly number[];
}

/** `original` from index `at` on stands at this line and column (from 1) of the file. */
export interface Segment {
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

export interface Comment {
  readonly line: number;
  readonly text: string;
}

/** `--name` or `--name=value`, quotes and escapes removed. */
export interface FlagWord {
  readonly name: string;
  readonly value: string | undefined;
  /** Index in `original`. */
  readonly at: number;
}

export interface Heredoc {
  readonly name: string;
  readonly descriptor: number;
  /** False when the name was quoted. RUN leaves this to the shell; COPY and ADD obey it. */
  readonly expand: boolean;
  /** `<<-`: leading tabs of the body are removed. */
  readonly stripTabs: boolean;
  /** The lines of the body as written, with their line ends. `heredocText` applies `stripTabs`. */
  readonly content: string;
}

/** Shell form runs in the stage's SHELL; exec form is an argument vector that no shell sees. */
export type CommandLine =
  | { readonly form: 'shell'; readonly text: string }
  | { readonly form: 'exec'; readonly argv: readonly string[] };

export interface Pair {
  readonly name: string;
  readonly value: string;
  /** Written `name value` instead of `name=value`. */
  readonly legacy: boolean;
}

export interface FromInstruction extends InstructionBase {
  readonly kind: 'FROM';
  /** Image or stage name, a word over the global ARGs. */
  readonly image: string;
  /** `--platform`, a word over the global ARGs. */
  readonly platform: string | undefined;
  /** Stage name, in lower case. */
  readonly as: string | undefined;
  /** The words `AS name` as written. */
  readonly asWritten: { readonly keyword: string; readonly name: string } | undefined;
}

export interface RunInstruction extends InstructionBase {
  readonly kind: 'RUN';
  readonly command: CommandLine;
  /** `resolveMount` gives the typed mounts once variables are known. */
  readonly mounts: readonly MountFlag[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly Device[];
}

/** One `--mount=...`, split at its commas. Values other than `from` are words. */
export interface MountFlag {
  readonly text: string;
  readonly fields: readonly MountField[];
  /** Stage, image or named context; never holds a variable. */
  readonly from: string | undefined;
}

export interface MountField {
  /** In lower case. */
  readonly key: string;
  readonly value: string | undefined;
  readonly text: string;
}

export interface Device {
  readonly name: string;
  readonly required: boolean;
}

export interface CmdInstruction extends InstructionBase {
  readonly kind: 'CMD';
  readonly command: CommandLine;
}

export interface EntrypointInstruction extends InstructionBase {
  readonly kind: 'ENTRYPOINT';
  readonly command: CommandLine;
}

interface FileInstruction extends InstructionBase {
  /** Paths, wildcards or (ADD) URLs; words. Heredocs are not among them. */
  readonly sources: readonly string[];
  /** Files written in the Dockerfile itself. */
  readonly inlineSources: readonly InlineSource[];
  readonly destination: string;
  /** Written as a JSON array. */
  readonly json: boolean;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  /** `--exclude` patterns. */
  readonly excludes: readonly string[];
}

export interface InlineSource {
  /** File name: the heredoc's name. */
  readonly name: string;
  /** Tabs already removed for `<<-`. A text for `expandText` when `expand` is set. */
  readonly content: string;
  readonly expand: boolean;
}

export interface CopyInstruction extends FileInstruction {
  readonly kind: 'COPY';
  /** Stage name or number, image or named context; never holds a variable. */
  readonly from: string | undefined;
  readonly parents: boolean;
}

export interface AddInstruction extends FileInstruction {
  readonly kind: 'ADD';
  readonly checksum: string | undefined;
  /** Undefined when not written: the default depends on the source. */
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export interface EnvInstruction extends InstructionBase {
  readonly kind: 'ENV';
  readonly pairs: readonly Pair[];
}

export interface LabelInstruction extends InstructionBase {
  readonly kind: 'LABEL';
  readonly pairs: readonly Pair[];
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: 'ARG';
  readonly args: readonly ArgDefinition[];
}

export interface ArgDefinition {
  readonly name: string;
  /** A word; undefined for `ARG name`. */
  readonly default: string | undefined;
}

export interface ExposeInstruction extends InstructionBase {
  readonly kind: 'EXPOSE';
  /** Words that may each expand to several; `parsePorts` reads the result. Sorted, as Docker does. */
  readonly ports: readonly string[];
}

export interface VolumeInstruction extends InstructionBase {
  readonly kind: 'VOLUME';
  readonly paths: readonly string[];
}

export interface UserInstruction extends InstructionBase {
  readonly kind: 'USER';
  readonly user: string;
}

export interface WorkdirInstruction extends InstructionBase {
  readonly kind: 'WORKDIR';
  readonly path: string;
}

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: 'ONBUILD';
  /** What an image's config keeps: the instruction's text, heredoc bodies included. `parseTrigger` reads it back. */
  readonly trigger: string;
  readonly instruction: Instruction;
}

export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: 'HEALTHCHECK';
  /** Undefined for `HEALTHCHECK NONE`. */
  readonly check: HealthcheckCommand | undefined;
}

/** Durations in nanoseconds; zero means the default. */
export interface HealthcheckCommand {
  readonly command: CommandLine;
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export interface StopSignalInstruction extends InstructionBase {
  readonly kind: 'STOPSIGNAL';
  readonly signal: string;
}

export interface ShellInstruction extends InstructionBase {
  readonly kind: 'SHELL';
  readonly shell: readonly string[];
}

export interface MaintainerInstruction extends InstructionBase {
  readonly kind: 'MAINTAINER';
  readonly maintainer: string;
}

export type Instruction =
  | FromInstruction
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | CopyInstruction
  | AddInstruction
  | EnvInstruction
  | LabelInstruction
  | ArgInstruction
  | ExposeInstruction
  | VolumeInstruction
  | UserInstruction
  | WorkdirInstruction
  | OnbuildInstruction
  | HealthcheckInstruction
  | StopSignalInstruction
  | ShellInstruction
  | MaintainerInstruction;
