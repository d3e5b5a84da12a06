import { Failure } from '../lib/error.ts';
import { type Directives, parseDirectives } from './directive.ts';
import { faultAt } from './failure.ts';
import { heredocsOfLine } from './heredoc.ts';
import type { Instruction } from './instruction.ts';
import { LogicalLines } from './logical-line.ts';
import { parseInstruction, takesHeredocs } from './parse-instruction.ts';

/** A parsed Dockerfile: instructions in order, not yet joined to stages. */
export interface Dockerfile {
  /** Name for messages. */
  readonly file: string;
  /** The decoded text without byte order mark, for excerpts and text edits. */
  readonly text: string;
  readonly directives: Directives;
  /** Escape and continuation character. */
  readonly escape: EscapeCharacter;
  /** At least one. */
  readonly instructions: readonly Instruction[];
  /** Faults that Docker only warns of. */
  readonly warnings: readonly Failure[];
}

export type EscapeCharacter = '\\' | '`';

/** Bytes of a Dockerfile. */
export const DOCKERFILE_LIMIT = 16 << 20;

/**
 * Parses a Dockerfile of at most 16 MiB. Throws Failure with place and Docker's message for the first fault; nothing
 * is expanded and stages are not resolved yet (`planStages`). https://docs.docker.com/reference/dockerfile/
 */
export function parseDockerfile(input: string | Uint8Array, options: { readonly file: string }): Dockerfile {
  const { file } = options;
  if (input.length === 0) throw new Failure('invalid', 'DOCKERFILE_EMPTY', `the Dockerfile (${file}) cannot be empty`);
  if (input.length > DOCKERFILE_LIMIT)
    throw new Failure(
      'invalid',
      'DOCKERFILE_TOO_LONG',
      `the Dockerfile (${file}) is longer than ${DOCKERFILE_LIMIT} bytes`,
    );
  const text = (typeof input === 'string' ? input : new TextDecoder().decode(input)).replace(/^\ufeff/, '');
  if (text.includes('\0'))
    throw new Failure('invalid', 'DOCKERFILE_BINARY', `the Dockerfile (${file}) is not a text file: it has a NUL byte`);
  const directives = parseDirectives(firstLines(text), file);
  const escapeCharacter = directives.escape?.value === '`' ? '`' : '\\';
  const { instructions, warnings } = parseInstructions(text, file, escapeCharacter, directives);
  if (instructions.length === 0)
    throw new Failure('invalid', 'DOCKERFILE_EMPTY', 'failed to parse Dockerfile: file with no instructions', {
      hint: `${file} has only comments and empty lines`,
    });
  return { file, text, directives, escape: escapeCharacter, instructions, warnings };
}

/** The instructions of a text. Its directives, if any, were read before and are no comments. */
export function parseInstructions(
  text: string,
  file: string,
  escapeCharacter: EscapeCharacter,
  directives: Directives = {},
): { instructions: Instruction[]; warnings: Failure[] } {
  const instructions: Instruction[] = [];
  const warnings: Failure[] = [];
  const directiveLines = Object.values(directives).map(({ line }) => line);
  const lines = new LogicalLines(text, file, escapeCharacter);
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const [empty] = line.emptyLines;
    if (empty !== undefined) {
      const source = { file, line: empty, endLine: line.emptyLines.at(-1) ?? empty };
      const message = `Empty continuation line found in: ${line.text}`;
      warnings.push(faultAt(source, 'EMPTY_CONTINUATION', message, 'remove the empty line or make it a comment'));
    }
    const heredocs = takesHeredocs(line.text, escapeCharacter)
      ? lines.heredocs(heredocsOfLine(line.text), line.line)
      : [];
    const comments = line.comments.filter((comment) => !directiveLines.includes(comment.line));
    const raw = { ...line, file, comments, endLine: lines.line, heredocs, escapeCharacter };
    instructions.push(parseInstruction(raw));
  }
  return { instructions, warnings };
}

function* firstLines(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    yield text.slice(at, end);
    at = end + 1;
  }
}
