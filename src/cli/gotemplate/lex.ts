import { templateFailure } from './value.ts';

/** A piece of a template: text outside of actions, or a token inside one. `at` is its offset in the template. */
export type Token =
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'open' | 'close'; readonly text: string; readonly at: number }
  | {
      readonly kind: 'word' | 'field' | 'variable' | 'string' | 'number' | 'dot' | 'space';
      readonly text: string;
      readonly at: number;
    }
  | { readonly kind: 'mark'; readonly text: '(' | ')' | '|' | ':=' | '=' | ','; readonly at: number };

const TOKEN =
  /([ \t\r\n]+)|(-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))|(\$\w*)|\.([A-Za-z_]\w*)|(\.)|([A-Za-z_]\w*)|("(?:[^"\\\n]|\\.)*")|(`[^`]*`)|('(?:[^'\\\n]|\\.)+')|(:=|[()|=,])/y;

/** Cuts a template of Go's text/template language into tokens. https://pkg.go.dev/text/template */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    trimNext = false;
    if (open < 0) {
      if (text !== '') tokens.push({ kind: 'text', text, at });
      break;
    }
    let inside = open + 2;
    if (/^-[ \t\r\n]/.test(source.slice(inside, inside + 2))) {
      text = text.replace(/[ \t\r\n]+$/, '');
      inside++;
    }
    if (text !== '') tokens.push({ kind: 'text', text, at });
    const comment = /^\s*\/\*/.test(source.slice(inside, inside + 20));
    if (comment) {
      const end = source.indexOf('*/', inside);
      const close = /^([ \t\r\n]+-)?\}\}/.exec(end < 0 ? '' : source.slice(end + 2));
      if (!close) throw failAt(source, open, 'unclosed comment');
      trimNext = close[1] !== undefined;
      at = end + 2 + close[0].length;
      continue;
    }
    tokens.push({ kind: 'open', text: '{{', at: open });
    const closed = lexAction(source, inside, tokens);
    trimNext = closed.trim;
    at = closed.end;
  }
  return tokens;
}

/** `1:5`, the line and the column in it, as messages about a template give a place. */
export function placeOf(source: string, at: number): string {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  return `${line}:${at - (before.lastIndexOf('\n') + 1)}`;
}

/** A failure of parsing at an offset of the template. */
export function failAt(source: string, at: number, message: string): Error {
  return templateFailure(`:${source.slice(0, at).split('\n').length}: ${message}`);
}

function lexAction(source: string, start: number, tokens: Token[]): { end: number; trim: boolean } {
  let at = start;
  while (at < source.length) {
    if (source.startsWith('}}', at)) {
      tokens.push({ kind: 'close', text: '}}', at });
      return { end: at + 2, trim: false };
    }
    const trimmed = /^[ \t\r\n]+-\}\}/.exec(source.slice(at, at + 64));
    if (trimmed) {
      tokens.push({ kind: 'close', text: '}}', at });
      return { end: at + trimmed[0].length, trim: true };
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (!match) {
      const next = source[at] ?? '';
      if (next === '"') throw failAt(source, at, 'unterminated quoted string');
      if (next === '`') throw failAt(source, at, 'unterminated raw quoted string');
      throw failAt(source, at, `unexpected ${JSON.stringify(next)} in command`);
    }
    tokens.push(tokenOf(match, at));
    at = TOKEN.lastIndex;
  }
  throw failAt(source, start, 'unclosed action');
}

function tokenOf(match: RegExpExecArray, at: number): Token {
  const [whole, space, number, variable, field, dot, word, quoted, raw, character, mark] = match;
  if (space !== undefined) return { kind: 'space', text: whole, at };
  if (number !== undefined) return { kind: 'number', text: number, at };
  if (variable !== undefined) return { kind: 'variable', text: variable, at };
  if (field !== undefined) return { kind: 'field', text: field, at };
  if (dot !== undefined) return { kind: 'dot', text: '.', at };
  if (word !== undefined) return { kind: 'word', text: word, at };
  if (quoted !== undefined) return { kind: 'string', text: unquote(quoted.slice(1, -1)), at };
  if (raw !== undefined) return { kind: 'string', text: raw.slice(1, -1), at };
  if (character !== undefined) {
    return { kind: 'number', text: String(unquote(character.slice(1, -1)).codePointAt(0) ?? 0), at };
  }
  // The last group of TOKEN matches exactly these marks.
  return { kind: 'mark', text: mark as ':=', at };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

function unquote(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (_, code: string) =>
    /^[xuU]./.test(code) ? String.fromCodePoint(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  );
}
