import { Failure } from '../lib/error.ts';
import { isSpace, quote } from './text.ts';
import { compilePattern, replaceMatch, trimPrefix, trimSuffix, type WordPattern } from './word-pattern.ts';

/** The value of a variable, undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface WordOptions {
  /** Escape character of the Dockerfile; backslash when not given. */
  readonly escape?: string;
  /** Quotes are ordinary characters (bodies of heredocs). */
  readonly plainQuotes?: boolean;
  /** Quotes take effect but stay in the result. */
  readonly keepQuotes?: boolean;
  /** Escapes take effect but stay in the result. */
  readonly keepEscapes?: boolean;
  /** A reference to a variable that is not set stays as written. */
  readonly keepUnset?: boolean;
}

export interface Expansion {
  /** The whole as one word: white space kept, quotes removed. */
  readonly text: string;
  /** Split at white space outside quotes, after the expansion. */
  readonly words: readonly string[];
  /** Names that were looked up and set. */
  readonly used: ReadonlySet<string>;
  /** Names that were looked up and not set. */
  readonly missing: ReadonlySet<string>;
}

/** A few lines of `ENV A=$A$A` would otherwise fill the memory of the host. */
const EXPANSION_LIMIT = 1 << 20;
const NESTING_LIMIT = 200;
/** Characters of the value times characters of the pattern: some tenths of a second. */
const MATCH_LIMIT = 1 << 26;

/**
 * Expands a word as Docker does: quotes, escapes, `$x`, `${x}` and `${x<op>word}` with the operators `:-` `-` `:+`
 * `+` `:?` `?` `#` `##` `%` `%%` `/` `//`. Throws Failure `WORD_INVALID` for bad syntax and for `:?`.
 * https://docs.docker.com/reference/dockerfile/#environment-replacement
 */
export function expandWord(word: string, lookup: Lookup, options: WordOptions = {}): Expansion {
  const expander = new Expander(word, lookup, options);
  try {
    const { text, words } = expander.until(undefined, options.keepEscapes === true);
    return { text, words, used: expander.used, missing: expander.missing };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    throw new Failure('invalid', 'WORD_INVALID', `failed to process ${quote(shorten(word))}: ${error.message}`);
  }
}

/** A fault inside the word; leaves this module only as a Failure that names the whole word. */
class WordError extends Error {}

function tooLong(): WordError {
  return new WordError(`the result is longer than ${EXPANSION_LIMIT} characters`);
}

function shorten(word: string): string {
  return word.length > 300 ? `${word.slice(0, 300)}...` : word;
}

class Expander {
  readonly used = new Set<string>();
  readonly missing = new Set<string>();
  readonly #characters: readonly string[];
  readonly #lookup: Lookup;
  readonly #escape: string;
  readonly #options: WordOptions;
  #at = 0;
  #depth = 0;
  #grown = 0;

  constructor(word: string, lookup: Lookup, options: WordOptions) {
    this.#characters = Array.from(word);
    this.#lookup = lookup;
    this.#escape = options.escape ?? '\\';
    this.#options = options;
  }

  /** Expands up to and over `stop`, or to the end when undefined. */
  until(stop: string | undefined, keepEscapes: boolean): { text: string; words: string[] } {
    if (++this.#depth > NESTING_LIMIT) throw new WordError('substitutions are nested too deeply');
    let text = '';
    const words = new WordList();
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next === stop) {
        this.#at++;
        this.#depth--;
        return { text, words: words.finish() };
      }
      if (next === '$') {
        const value = this.#dollar(keepEscapes);
        text += value;
        words.addSplit(value);
      } else if (next === '<' || (!this.#options.plainQuotes && (next === "'" || next === '"'))) {
        const part = this.#quotedOrHeredoc(next, keepEscapes);
        text += part;
        words.addRaw(part);
      } else if (next === this.#escape) {
        this.#at++;
        const escaped = this.#take();
        const part = (keepEscapes ? next : '') + (escaped ?? '');
        text += part;
        if (part !== '') words.addRaw(part);
      } else {
        this.#at++;
        text += next;
        words.add(next);
      }
    }
    if (stop !== undefined) throw new WordError(`unexpected end of statement while looking for matching ${stop}`);
    this.#depth--;
    return { text, words: words.finish() };
  }

  #quotedOrHeredoc(first: string, keepEscapes: boolean): string {
    if (first === "'") return this.#singleQuoted();
    if (first === '"') return this.#doubleQuoted(keepEscapes);
    return this.#possibleHeredoc();
  }

  #singleQuoted(): string {
    const start = this.#at++;
    while (this.#peek() !== undefined) {
      if (this.#take() !== "'") continue;
      const inside = this.#characters.slice(start + 1, this.#at - 1).join('');
      return this.#options.keepQuotes ? `'${inside}'` : inside;
    }
    throw new WordError('unexpected end of statement while looking for matching single-quote');
  }

  /** Between double quotes the escape character escapes only itself, `"` and `$`. */
  #doubleQuoted(keepEscapes: boolean): string {
    this.#at++;
    const mark = this.#options.keepQuotes ? '"' : '';
    let text = mark;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next === '$') {
        text += this.#dollar(keepEscapes);
        continue;
      }
      this.#at++;
      if (next === '"') return text + mark;
      if (next !== this.#escape) {
        text += next;
        continue;
      }
      if (keepEscapes) text += next;
      const escaped = this.#peek();
      if (escaped === undefined) break;
      if (escaped === '"' || escaped === '$' || escaped === this.#escape) {
        this.#at++;
        text += escaped;
      } else text += next;
    }
    throw new WordError('unexpected end of statement while looking for matching double-quote');
  }

  /** Keeps `<<` and the white space behind it in one word with the name that follows. */
  #possibleHeredoc(): string {
    this.#at++;
    if (this.#peek() !== '<') return '<';
    const start = this.#at++;
    for (let next = this.#peek(); next === ' ' || next === '\t' || next === '\r'; next = this.#peek()) this.#at++;
    return `<${this.#characters.slice(start, this.#at).join('')}`;
  }

  #dollar(keepEscapes: boolean): string {
    this.#at++;
    if (this.#peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      const value = this.#get(name);
      return value ?? (this.#options.keepUnset ? `$${name}` : '');
    }
    this.#at++;
    const first = this.#peek();
    if (first === undefined) throw new WordError("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') throw new WordError('syntax error: bad substitution');
    return this.#substitution(this.#name(), keepEscapes);
  }

  /** What follows `${name`, closing brace included. */
  #substitution(name: string, keepEscapes: boolean): string {
    const first = this.#take();
    if (first === '}') return this.#get(name) ?? (this.#options.keepUnset ? `\${${name}}` : '');
    if (first === '/') return this.#replace(name);
    const colon = first === ':';
    const operator = colon ? this.#take() : first;
    const written = `${colon ? ':' : ''}${operator ?? ''}`;
    const trims = operator === '#' || operator === '%';
    if (operator === undefined) throw new WordError("syntax error: missing '}'");
    if (!'-+?#%'.includes(operator) || (colon && trims))
      throw new WordError(`unsupported modifier (${written}) in substitution`);
    const word = this.#operand('}', trims || keepEscapes).text;
    const value = this.#get(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}${written}${word}}`;
    const absent = value === undefined || (colon && value === '');
    switch (operator) {
      case '-':
        return absent ? word : value;
      case '+':
        return absent ? '' : word;
      case '?': {
        if (!absent) return value;
        const reason = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
        throw new WordError(`${name}: ${word === '' ? reason : word}`);
      }
      default: {
        const longest = word.startsWith(operator);
        const characters = Array.from(value ?? '');
        const pattern = this.#pattern(longest ? word.slice(1) : word, characters);
        return operator === '#' ? trimPrefix(characters, pattern, longest) : trimSuffix(characters, pattern, longest);
      }
    }
  }

  #replace(name: string): string {
    const all = this.#peek() === '/';
    if (all) this.#at++;
    const pattern = this.#operand('/', true).text;
    const replacement = this.#operand('}', true).text;
    const value = this.#get(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}/${all ? '/' : ''}${pattern}/${replacement}}`;
    const text = replacement;
    const limit = EXPANSION_LIMIT - this.#grown;
    const characters = Array.from(value ?? '');
    const result = replaceMatch(characters, this.#pattern(pattern, characters), { text, all, limit });
    if (result === undefined) throw tooLong();
    return this.#bounded(result);
  }

  #operand(stop: string, keepEscapes: boolean): { text: string } {
    try {
      return this.until(stop, keepEscapes);
    } catch (error) {
      if (!(error instanceof WordError) || this.#peek() !== undefined) throw error;
      throw new WordError(stop === '}' ? "syntax error: missing '}'" : `syntax error: missing '/' in \${}`);
    }
  }

  #pattern(text: string, value: readonly string[]): WordPattern {
    const pattern = compilePattern(text);
    if (typeof pattern === 'string') throw new WordError(`invalid pattern (${text}) in substitution: ${pattern}`);
    if (pattern.length * value.length > MATCH_LIMIT) throw new WordError('the pattern is too long for the value');
    return pattern;
  }

  /** Letters, digits and `_`; digits alone when it starts with one; or one special parameter such as `$?`. */
  #name(): string {
    const first = this.#peek();
    if (first === undefined) return '';
    let allowed = /[\p{L}\p{Nd}_]/u;
    if (/\p{Nd}/u.test(first)) allowed = /\p{Nd}/u;
    else if ('@*#?-$!'.includes(first)) {
      this.#at++;
      return first;
    }
    const start = this.#at;
    for (let next = this.#peek(); next !== undefined && allowed.test(next); next = this.#peek()) this.#at++;
    return this.#characters.slice(start, this.#at).join('');
  }

  #get(name: string): string | undefined {
    const value = this.#lookup(name);
    (value === undefined ? this.missing : this.used).add(name);
    return value === undefined ? undefined : this.#bounded(value);
  }

  #bounded(value: string): string {
    this.#grown += value.length;
    if (this.#grown > EXPANSION_LIMIT) throw tooLong();
    return value;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string | undefined {
    return this.#characters[this.#at++];
  }
}

/** Collects words; white space that is not raw ends one. */
class WordList {
  readonly #words: string[] = [];
  #current = '';
  #inWord = false;

  add(character: string): void {
    if (!isSpace(character)) this.addRaw(character);
    else if (this.#inWord && this.#current !== '') {
      this.#words.push(this.#current);
      this.#current = '';
      this.#inWord = false;
    }
  }

  addSplit(text: string): void {
    for (const character of text) this.add(character);
  }

  addRaw(text: string): void {
    this.#current += text;
    this.#inWord = true;
  }

  finish(): string[] {
    if (this.#current !== '') this.#words.push(this.#current);
    return this.#words;
  }
}
