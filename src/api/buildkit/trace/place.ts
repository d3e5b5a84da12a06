import type { SourceRange } from '../../../lib/error.ts';
import type { Range } from '../shapes/status.ts';

/** The Dockerfile that a build has read. */
export interface ReadDockerfile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Lines that BuildKit's clients show around a place, at most. */
const AROUND = 5;
const LINES = 100;
const LINE_LENGTH = 500;

/**
 * A place in a Dockerfile, with the text from which clients draw it: the lines around it, cut when they are very long, and
 * empty ones before, so that a large file stays out of messages.
 */
export function placeIn(
  { name, content }: ReadDockerfile,
  { line, endLine }: Pick<SourceRange, 'line' | 'endLine'>,
): { info: { filename: string; data: Uint8Array; language: string }; ranges: Range[] } {
  const last = Math.max(line, Math.min(endLine, line + LINES));
  const lines = new TextDecoder().decode(content).split('\n');
  const shown = lines
    .slice(0, last + AROUND)
    .map((text, index) => (index < line - 1 - AROUND ? '' : text.slice(0, LINE_LENGTH)));
  return {
    info: { filename: name, data: Buffer.from(shown.join('\n')), language: 'Dockerfile' },
    ranges: [{ start: { line, character: 0 }, end: { line: last, character: 0 } }],
  };
}
