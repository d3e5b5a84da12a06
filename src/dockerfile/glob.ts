/**
 * Wildcards of Go's filepath.Match, which COPY and ADD sources use: `*` any text without `/`, `?` one character but
 * `/`, `[a-z]` and `[^a-z]`, backslash escapes. https://pkg.go.dev/path/filepath#Match
 * Ignore patterns share the matcher and add tokens for `**`.
 */
export type GlobToken =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] }
  | { readonly kind: 'star' }
  /** Nothing, or any text up to and over a `/`. */
  | { readonly kind: 'folders' }
  /** Any text at all, at the end of a pattern. */
  | { readonly kind: 'rest' };

export interface Glob {
  readonly tokens: readonly GlobToken[];
  matches(path: string): boolean;
}

/** Compiles a pattern, or undefined when its syntax is wrong (Go: "syntax error in pattern"). */
export function compileGlob(pattern: string): Glob | undefined {
  const tokens = new TokenList();
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at];
    if (character === '*') {
      tokens.push({ kind: 'star' });
      at++;
    } else if (character === '?') {
      tokens.push({ kind: 'any' });
      at++;
    } else if (character === '[') {
      const parsed = parseClass(pattern, at);
      if (!parsed) return undefined;
      tokens.push(parsed.token);
      at = parsed.end;
    } else {
      if (character === '\\' && ++at === pattern.length) return undefined;
      tokens.text(pattern[at] ?? '');
      at++;
    }
  }
  return globOf(tokens.list);
}

/** Whether a source holds wildcards at all. */
export function hasWildcard(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

/** Collects tokens, neighbouring text joined and repetitions that mean nothing dropped. */
export class TokenList {
  readonly list: GlobToken[] = [];

  text(text: string): void {
    const last = this.list.at(-1);
    if (last?.kind === 'text') this.list[this.list.length - 1] = { kind: 'text', text: last.text + text };
    else this.list.push({ kind: 'text', text });
  }

  push(token: GlobToken): void {
    const isIdempotent = token.kind === 'star' || token.kind === 'folders';
    if (isIdempotent && this.list.at(-1)?.kind === token.kind) return;
    this.list.push(token);
  }
}

/** The class that starts at `[`, and the index behind it. */
export function parseClass(pattern: string, start: number): { token: GlobToken; end: number } | undefined {
  let at = start + 1;
  const negated = pattern[at] === '^';
  if (negated) at++;
  const ranges: [number, number][] = [];
  const next = (): number | undefined => {
    const character = pattern[at];
    if (character === undefined || character === '-' || character === ']') return undefined;
    if (character === '\\') at++;
    const code = pattern.codePointAt(at);
    if (code !== undefined) at += code > 0xffff ? 2 : 1;
    return code;
  };
  for (;;) {
    if (pattern[at] === ']' && ranges.length > 0) return { token: { kind: 'class', negated, ranges }, end: at + 1 };
    const low = next();
    if (low === undefined) return undefined;
    let high: number | undefined = low;
    if (pattern[at] === '-') {
      at++;
      high = next();
    }
    if (high === undefined) return undefined;
    ranges.push([low, high]);
  }
}

/** A matcher of whole paths; what must stand at the start and the end is compared first. */
export function globOf(tokens: readonly GlobToken[]): Glob {
  const [first] = tokens;
  const last = tokens.at(-1);
  const start = first?.kind === 'text' ? first.text : '';
  const end = last?.kind === 'text' ? last.text : '';
  return {
    tokens,
    matches: (path) => path.startsWith(start) && path.endsWith(end) && matchFrom(tokens, 0, path, 0, new Map()),
  };
}

/**
 * Backtracks over the stars. `failed` remembers from which place on a star of a segment is known to lead nowhere, so
 * that no pattern costs more than its length times that of the path, squared only for `**`.
 */
function matchFrom(
  tokens: readonly GlobToken[],
  index: number,
  path: string,
  start: number,
  failed: Map<number, number>,
): boolean {
  let at = start;
  for (let current = index; current < tokens.length; current++) {
    const token = tokens[current];
    if (!token) return false;
    switch (token.kind) {
      case 'text':
        if (!path.startsWith(token.text, at)) return false;
        at += token.text.length;
        break;
      case 'any':
        if (at >= path.length || path[at] === '/') return false;
        at += widthAt(path, at);
        break;
      case 'class': {
        const code = path.codePointAt(at);
        if (code === undefined || token.ranges.some(([low, high]) => low <= code && code <= high) === token.negated)
          return false;
        at += widthAt(path, at);
        break;
      }
      case 'rest':
        return true;
      case 'star': {
        const end = indexOrEnd(path, at);
        const state = current * (path.length + 1) + end;
        if ((failed.get(state) ?? Number.POSITIVE_INFINITY) <= at) return false;
        for (let next = at; next <= end; next += widthAt(path, next))
          if (matchFrom(tokens, current + 1, path, next, failed)) return true;
        failed.set(state, at);
        return false;
      }
      case 'folders': {
        const state = current * (path.length + 1) + at;
        if (failed.has(state)) return false;
        if (matchFrom(tokens, current + 1, path, at, failed)) return true;
        for (let slash = path.indexOf('/', at); slash >= 0; slash = path.indexOf('/', slash + 1))
          if (matchFrom(tokens, current + 1, path, slash + 1, failed)) return true;
        failed.set(state, at);
        return false;
      }
    }
  }
  return at === path.length;
}

/** Where the segment that holds `at` ends. */
function indexOrEnd(path: string, at: number): number {
  const slash = path.indexOf('/', at);
  return slash < 0 ? path.length : slash;
}

function widthAt(path: string, at: number): number {
  return (path.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
