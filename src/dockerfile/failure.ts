import { Failure, isFailure, type SourceRange } from '../lib/error.ts';

const MESSAGE_LIMIT = 1_000;

/** A fault in a Dockerfile at a known place. A message that quotes a very long word is cut. */
export function faultAt(source: SourceRange, code: string, message: string, hint?: string): Failure {
  const text = message.length > MESSAGE_LIMIT ? `${message.slice(0, MESSAGE_LIMIT)}...` : message;
  return new Failure('invalid', code, text, hint === undefined ? { source } : { source, hint });
}

/** A fault of syntax, in the words of Docker's answer. */
export function parseFault(source: SourceRange, code: string, message: string, hint?: string): Failure {
  return faultAt(source, code, `dockerfile parse error on line ${source.line}: ${message}`, hint);
}

/** `error` with the place of the instruction, unless it already has one. */
export function withSource(error: unknown, source: SourceRange): unknown {
  return isFailure(error) && !error.source ? error.at(source) : error;
}
