import { Failure, type SourceRange } from '../lib/error.ts';
import type { Instruction } from './instruction.ts';
import { type EscapeCharacter, parseInstructions } from './parse.ts';

/**
 * Reads back one instruction that an image's config keeps for ONBUILD. Its place is the FROM line that fires it, when
 * given. Throws Failure `TRIGGER_INVALID` for anything but one instruction that ONBUILD allows.
 */
export function parseTrigger(
  text: string,
  options: { readonly escape?: EscapeCharacter; readonly source?: SourceRange } = {},
): Instruction {
  const { instructions } = parseInstructions(text, options.source?.file ?? 'ONBUILD', options.escape ?? '\\');
  const [instruction, extra] = instructions;
  if (!instruction || extra) throw invalid(`ONBUILD trigger should be a single instruction: ${text}`, options.source);
  if (['FROM', 'MAINTAINER', 'ONBUILD'].includes(instruction.kind))
    throw invalid(`${instruction.kind} isn't allowed as an ONBUILD trigger`, options.source);
  return options.source ? { ...instruction, source: options.source } : instruction;
}

function invalid(message: string, source: SourceRange | undefined): Failure {
  return new Failure('invalid', 'TRIGGER_INVALID', message, source ? { source } : {});
}
