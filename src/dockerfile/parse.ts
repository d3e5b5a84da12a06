import type { Failure } from '../lib/error.ts';
import type { Instruction } from './instruction.ts';

/** A parsed Dockerfile: instructions in order, not yet joined to stages. */
export interface Dockerfile {
  /** Name for messages. */
  readonly file: string;
  /** The decoded text without byte order mark, for excerpts and text edits. */
  readonly text: string;
  readonly directives: Directives;
  /** Escape and continuation character. */
  readonly escape: '\\' | '`';
  readonly instructions: readonly Instruction[];
  /** Faults that Docker only warns of. */
  readonly warnings: readonly Failure[];
}

/** Parser directives, the `# name=value` lines at the top. */
export interface Directives {
  readonly syntax?: Directive;
  readonly escape?: Directive;
  readonly check?: Directive;
}

export interface Directive {
  readonly value: string;
  readonly line: number;
}
