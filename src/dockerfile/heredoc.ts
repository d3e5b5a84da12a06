import type { Heredoc } from './instruction.ts';
import { trimStart } from './text.ts';
import { expandWord, type WordOptions } from './word.ts';

/** What `<<NAME` in a line announces; the body follows the line. */
export type HeredocMark = Omit<Heredoc, 'content'>;

const MARK = /^(\d*)<<(-?)/;
const unset = () => undefined;

/** The heredocs that a line announces, in order. https://docs.docker.com/reference/dockerfile/#here-documents */
export function heredocsOfLine(line: string): HeredocMark[] {
  if (!line.includes('<<')) return [];
  return wordsOf(line, { keepQuotes: true, keepEscapes: true, keepUnset: true }).flatMap(
    (word) => parseHeredocMark(word) ?? [],
  );
}

/** Reads one word such as `<<EOF`, `3<<-"EOF"`; undefined when it is none. */
export function parseHeredocMark(word: string): HeredocMark | undefined {
  const match = MARK.exec(word);
  const rest = match ? trimStart(word.slice(match[0].length)) : '';
  if (!match || rest === '' || rest.includes('<')) return undefined;
  const [name, ...others] = wordsOf(rest, { keepUnset: true });
  if (name === undefined || others.length > 0) return undefined;
  const [written = ''] = wordsOf(rest, { keepUnset: true, keepQuotes: true });
  const expand = countQuotes(name) === countQuotes(written);
  return { name, descriptor: Number(match[1] ?? 0), stripTabs: match[2] === '-', expand };
}

/** The body as the shell or the file gets it: without leading tabs for `<<-`. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content;
}

function wordsOf(text: string, options: WordOptions): readonly string[] {
  try {
    return expandWord(text, unset, options).words;
  } catch {
    return []; // a shell line need not be a valid word; it then announces nothing
  }
}

function countQuotes(text: string): number {
  return text.length - text.replace(/['"]/g, '').length;
}
