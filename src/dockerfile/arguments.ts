/** How the text behind an instruction's flags splits into arguments. Each function is one of Docker's ways. */
import type { CommandLine, Pair } from './instruction.ts';
import { cutAtSpace, isSpace, quote } from './text.ts';

/** A fault in the arguments; `at` is the index in the text where it shows, when known. */
export class ArgumentFault extends Error {
  readonly at: number | undefined;

  constructor(message: string, at?: number) {
    super(message);
    this.at = at;
  }
}

/**
 * The strings of a JSON array, or undefined when the text is no JSON array at all, which Docker then reads as plain
 * words. Throws ArgumentFault for an array that holds something other than strings.
 */
export function parseJsonArray(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const strings = parsed.filter((item) => typeof item === 'string');
  if (strings.length < parsed.length)
    throw new ArgumentFault('when using JSON array syntax, arrays must be comprised of strings only', 0);
  return strings;
}

/** Exec form for a JSON array, else shell form. */
export function parseCommandLine(text: string): CommandLine {
  const argv = parseJsonArray(text);
  return argv === undefined ? { form: 'shell', text } : { form: 'exec', argv };
}

/** Splits at white space; quotes mean nothing. */
export function splitAtSpace(text: string): string[] {
  return text === '' ? [] : text.split(/[\t\v\f\r ]+/);
}

/** Splits at white space outside quotes. Quotes and escapes stay: expansion removes them. */
export function splitWords(text: string, escapeCharacter: string): { word: string; at: number }[] {
  const words: { word: string; at: number }[] = [];
  let index = 0;
  while (index < text.length) {
    if (isSpace(text[index] ?? '')) {
      index++;
      continue;
    }
    const at = index;
    let word = '';
    let quoted: string | undefined;
    for (; index < text.length; index++) {
      const character = text[index] ?? '';
      if (quoted === undefined && isSpace(character)) break;
      if (character === escapeCharacter && quoted !== "'") {
        // An escape character at the very end is dropped.
        if (index + 1 === text.length) continue;
        word += character + text[++index];
        continue;
      }
      if (quoted === undefined) quoted = character === '"' || character === "'" ? character : undefined;
      else if (character === quoted) quoted = undefined;
      word += character;
    }
    if (word !== '') words.push({ word, at });
  }
  return words;
}

/** `name=value ...` or the old `name value`, whose value is the rest of the line. */
export function parsePairs(text: string, instruction: string, escapeCharacter: string): Pair[] {
  const words = splitWords(text, escapeCharacter);
  const [first] = words;
  if (!first) throw new ArgumentFault(`${instruction} requires at least one argument`);
  if (!first.word.includes('=')) {
    const [name, value] = cutAtSpace(text);
    if (value === undefined) throw new ArgumentFault(`${instruction} must have two arguments`, 0);
    return [{ name, value, legacy: true }];
  }
  return words.map(({ word, at }) => {
    const equals = word.indexOf('=');
    if (equals < 0)
      throw new ArgumentFault(`Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`, at);
    if (equals === 0) throw new ArgumentFault(`${instruction} names can not be blank`, at);
    return { name: word.slice(0, equals), value: word.slice(equals + 1), legacy: false };
  });
}
