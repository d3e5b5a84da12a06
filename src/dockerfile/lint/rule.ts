import type { SourceRange } from '../../lib/error.ts';
import type { InstructionBase } from '../instruction.ts';
import type { LintModel } from './model.ts';

/** One check of a Dockerfile. Its page is `docs/lint/<page of name>.md`. */
export interface Rule {
  /** As in BuildKit, for its rules. */
  readonly name: string;
  /** One sentence: what the rule wants. */
  readonly description: string;
  /** `note` for advice that good Dockerfiles may have reasons not to follow. */
  readonly level: 'warning' | 'note';
  /** Only runs when asked for by name. */
  readonly experimental?: true;
  /** Codes of hadolint's rules that are the same check: they name this one in `skip` too. */
  readonly codes?: readonly string[];
  check(model: LintModel): Iterable<Problem>;
}

/** What a rule found. */
export interface Problem {
  readonly instruction: InstructionBase;
  /** Index in the instruction's `original`; undefined for the whole instruction. */
  readonly at?: number | undefined;
  /** Lines inside the instruction instead of all of it. */
  readonly lines?: readonly [first: number, last: number];
  readonly message: string;
  /** A safe rewrite, when there is one: the image stays the same, but for what the rule is about. */
  readonly edits?: readonly TextEdit[] | undefined;
}

/** Replaces `text` for what stands from `start` to `end` (indexes in the Dockerfile's text). */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Finding {
  readonly rule: string;
  readonly level: 'error' | 'warning' | 'note';
  readonly message: string;
  readonly source: SourceRange;
  /** Path of the rule's page in the project's docs. */
  readonly page: string;
  /** Empty when there is no safe fix. */
  readonly edits: readonly TextEdit[];
}

/** `StageNameCasing` has the page `docs/lint/stage-name-casing.md`. */
export function pageOf(rule: string): string {
  const words = rule.replace(/([a-z0-9])([A-Z])/g, '$1-$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2');
  return `docs/lint/${words.toLowerCase()}.md`;
}
