import { posix } from 'node:path';
import { Failure } from '../lib/error.ts';
import { compileGlob, globOf, parseClass, TokenList } from './glob.ts';
import { quote, trim } from './text.ts';

/** One line of a .dockerignore file, or one `--exclude`. */
export interface IgnorePattern {
  /** Cleaned, without the `!`. */
  readonly text: string;
  /** Written with `!`: what matches is kept after all. */
  readonly exception: boolean;
  matches(path: string): boolean;
  /** Whether something below the folder could match. May say yes too often, never no wrongly. */
  mayMatchBelow(folder: string): boolean;
}

const FILE_LIMIT = 16 << 20;

/**
 * Parses a .dockerignore file. Throws Failure `IGNORE_INVALID` with the line of a pattern that has a wrong syntax.
 * https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export function parseIgnore(text: string, options: { readonly file?: string } = {}): IgnorePattern[] {
  const file = options.file ?? '.dockerignore';
  if (text.length > FILE_LIMIT)
    throw new Failure('invalid', 'IGNORE_INVALID', `${file} is longer than ${FILE_LIMIT} bytes`);
  const patterns: IgnorePattern[] = [];
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const [index, line] of lines.entries()) {
    const written = trim(line);
    if (line.startsWith('#') || written === '') continue;
    const exception = written.startsWith('!');
    const cleaned = relative(exception ? trim(written.slice(1)) : written);
    try {
      patterns.push(compileIgnorePattern(exception ? `!${cleaned}` : cleaned));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const source = { file, line: index + 1, endLine: index + 1 };
      throw new Failure(error.kind, error.code, `${file} line ${index + 1}: ${error.message}`, { source });
    }
  }
  return patterns;
}

/** Compiles one pattern as the patterns of `--exclude` are: `!` in front makes an exception. */
export function compileIgnorePattern(pattern: string): IgnorePattern {
  const cleaned = clean(trim(pattern));
  const exception = cleaned.startsWith('!');
  const text = exception ? cleaned.slice(1) : cleaned;
  if (text === '') throw new Failure('invalid', 'IGNORE_INVALID', 'illegal exclusion pattern: "!"');
  if (!compileGlob(text))
    throw new Failure('invalid', 'IGNORE_INVALID', `invalid pattern ${quote(text)}: syntax error in pattern`);
  return { text, exception, ...matcherOf(text) };
}

/**
 * Answers for every path of a context whether it is ignored: the last pattern that matches the path or a folder above
 * it decides. Paths are relative, with `/`. Fast when asked in the order of a walk, right in any order.
 */
export class IgnoreMatcher {
  readonly #patterns: readonly IgnorePattern[];
  readonly #exceptions: readonly IgnorePattern[];
  /** The folders above the path asked last, outermost first. */
  readonly #folders: FolderState[] = [];

  constructor(patterns: readonly IgnorePattern[]) {
    this.#patterns = patterns;
    this.#exceptions = patterns.filter(({ exception }) => exception);
  }

  ignores(path: string): boolean {
    if (this.#patterns.length === 0 || path === '' || path === '.') return false;
    return this.#decide(path, this.#parentOf(path), undefined);
  }

  /** Whether something below an ignored folder may be kept, so that a walk has to enter it. */
  mayContainExceptions(folder: string): boolean {
    return this.#exceptions.some((pattern) => pattern.mayMatchBelow(folder));
  }

  #parentOf(path: string): FolderState | undefined {
    const parentLength = path.lastIndexOf('/');
    if (parentLength < 0) return undefined;
    while (this.#folders.length > 0 && !isBelow(path, this.#folders.at(-1)?.path ?? '')) this.#folders.pop();
    let last = this.#folders.at(-1);
    while ((last?.path.length ?? -1) < parentLength) {
      const end = path.indexOf('/', (last?.path.length ?? -1) + 1);
      const folder = path.slice(0, end);
      const matched = new Uint8Array(this.#patterns.length);
      const state: FolderState = { path: folder, matched, ignored: this.#decide(folder, last, matched) };
      this.#folders.push(state);
      last = state;
    }
    return last;
  }

  /** Notes in `matched` which patterns hold for `path` and thus for everything below. */
  #decide(path: string, parent: FolderState | undefined, matched: Uint8Array | undefined): boolean {
    if (parent?.ignored && this.#exceptions.length === 0) return true;
    let ignored = false;
    for (let index = 0; index < this.#patterns.length; index++) {
      const pattern = this.#patterns[index];
      if (!pattern) break;
      let match = parent?.matched[index] === 1;
      if (!match) {
        // A pattern that would change nothing is not asked, nor does it count for what is below.
        if (pattern.exception !== ignored) continue;
        match = pattern.matches(path);
      }
      if (!match) continue;
      if (matched) matched[index] = 1;
      ignored = !pattern.exception;
    }
    return ignored;
  }
}

interface FolderState {
  readonly path: string;
  readonly matched: Uint8Array;
  readonly ignored: boolean;
}

function isBelow(path: string, folder: string): boolean {
  return path.length > folder.length && path[folder.length] === '/' && path.startsWith(folder);
}

/** `/x` means `x`: patterns are relative to the root of the context. */
function relative(pattern: string): string {
  const cleaned = pattern === '' ? '' : clean(pattern);
  return cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
}

function clean(pattern: string): string {
  const normal = posix.normalize(pattern);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

type Matcher = Pick<IgnorePattern, 'matches' | 'mayMatchBelow'>;

function matcherOf(text: string): Matcher {
  const special = /[*?[\]\\]/;
  if (!special.test(text))
    return { matches: (path) => path === text, mayMatchBelow: (folder) => isBelow(text, folder) };
  const behind = text.replace(/^\*\*/, '');
  if (behind !== text && !special.test(behind)) return endMatcher(behind);
  const front = text.replace(/\*\*$/, '');
  if (front !== text && !special.test(front))
    return { matches: (path) => path.startsWith(front), mayMatchBelow: startsCompatible(front) };
  const tokens = tokensOf(text);
  const [first] = tokens;
  const glob = globOf(tokens);
  return {
    matches: (path) => glob.matches(path),
    mayMatchBelow: startsCompatible(first?.kind === 'text' ? first.text : ''),
  };
}

/** A pattern that starts with two stars and has no other wildcard compares the end: also of a name, as Docker does. */
function endMatcher(end: string): Matcher {
  const name = end.startsWith('/') ? end.slice(1) : undefined;
  return { matches: (path) => path.endsWith(end) || path === name, mayMatchBelow: () => true };
}

function startsCompatible(start: string): (folder: string) => boolean {
  return (folder) => start.startsWith(`${folder}/`) || `${folder}/`.startsWith(start);
}

function tokensOf(text: string) {
  const tokens = new TokenList();
  for (let at = 0; at < text.length; ) {
    const character = text[at];
    if (text.startsWith('**', at)) {
      at += text[at + 2] === '/' ? 3 : 2;
      tokens.push({ kind: at === text.length ? 'rest' : 'folders' });
    } else if (character === '*') {
      tokens.push({ kind: 'star' });
      at++;
    } else if (character === '?') {
      tokens.push({ kind: 'any' });
      at++;
    } else if (character === '[') {
      const parsed = parseClass(text, at);
      if (parsed) tokens.push(parsed.token);
      at = parsed?.end ?? text.length;
    } else {
      if (character === '\\') at++;
      tokens.text(text[at] ?? '');
      at++;
    }
  }
  return tokens.list;
}
