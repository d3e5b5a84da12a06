/**
 * A reading of POSIX shell text that is good enough for advice: simple commands and their words. Substitutions stay
 * part of their word, redirections are dropped, keywords of compound commands are skipped.
 */
export interface ShellCommand {
  /** Name and arguments. Assignments in front are left out. */
  readonly words: readonly ShellWord[];
  /** What stands before the command. */
  readonly operator: '' | '&&' | '||' | ';' | '|' | '&' | '(';
}

export interface ShellWord {
  /** Quotes and escapes removed. */
  readonly text: string;
  readonly raw: string;
  /** Where `raw` stands in the text. */
  readonly at: number;
  readonly end: number;
  /** No variable, substitution, wildcard or quote in it. */
  readonly plain: boolean;
}

type Operator = ShellCommand['operator'];

const KEYWORDS = new Set([
  'if',
  'then',
  'elif',
  'else',
  'fi',
  'do',
  'done',
  'while',
  'until',
  '!',
  '{',
  '}',
  'time',
  'esac',
]);

/** The simple commands of a shell text, in order. What is no valid shell gives some reading, never an error. */
export function splitShell(text: string): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: ShellWord[] = [];
  let operator: Operator = '';
  const finish = (next: Operator) => {
    if (words.length > 0) commands.push({ words, operator });
    words = [];
    operator = next;
  };
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at, at + 2);
    const character = text[at] ?? '';
    if (/[ \t\r]/.test(character)) at++;
    else if (rest === '\\\n') at += 2;
    else if (character === '#') at = endOfLine(text, at);
    else if (rest === '&&' || rest === '||' || rest === ';;') {
      finish(rest === ';;' ? ';' : rest);
      at += 2;
    } else if (rest === '&>' || character === '>' || character === '<') at = skipRedirection(text, at);
    else if (/[;\n)]/.test(character)) {
      finish(';');
      at++;
    } else if (character === '|' || character === '&' || character === '(') {
      finish(character);
      at += rest === '|&' ? 2 : 1;
    } else {
      const word = readWord(text, at);
      at = word.end;
      const descriptor = /^\d+$/.test(word.raw) && /[<>]/.test(text[at] ?? '');
      const skipped = words.length === 0 && (KEYWORDS.has(word.raw) || /^[A-Za-z_]\w*=/.test(word.raw));
      if (!descriptor && !skipped) words.push(word);
    }
  }
  finish('');
  return commands;
}

function readWord(text: string, start: number): ShellWord {
  let value = '';
  let plain = true;
  let at = start;
  while (at < text.length && !/[\s;&|<>()]/.test(text[at] ?? '')) {
    const character = text[at] ?? '';
    if (character === '\\') {
      plain = false;
      value += text[at + 1] ?? '';
      at += 2;
    } else if (character === "'" || character === '"') {
      plain = false;
      const end = endOfQuote(text, at);
      value += text.slice(at + 1, end);
      at = end + 1;
    } else if (character === '`' || text.startsWith('$(', at)) {
      plain = false;
      const end = character === '`' ? text.indexOf('`', at + 1) : endOfSubstitution(text, at + 2);
      const stop = end < 0 ? text.length : end + 1;
      value += text.slice(at, stop);
      at = stop;
    } else {
      if (/[$*?[\]{}~]/.test(character)) plain = false;
      value += character;
      at++;
    }
  }
  const end = Math.min(at, text.length);
  return { text: value, raw: text.slice(start, end), at: start, end, plain };
}

/** Index of the closing quote, or the text's length. */
function endOfQuote(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return at;
    if (text[at] === '\\' && quote === '"') at++;
  }
  return text.length;
}

function endOfSubstitution(text: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === "'" || character === '"') at = endOfQuote(text, at);
    else if (character === '(') depth++;
    else if (character === ')' && --depth === 0) return at;
  }
  return -1;
}

function skipRedirection(text: string, start: number): number {
  let at = start;
  while (/[<>&|]/.test(text[at] ?? '')) at++;
  if (text[at] === '-') at++;
  while (/[ \t]/.test(text[at] ?? '')) at++;
  return /[\s;&|<>()]/.test(text[at] ?? ' ') ? at : readWord(text, at).end;
}

function endOfLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline;
}
