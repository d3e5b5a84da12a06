import { parseFault } from './failure.ts';

/** Parser directives, the `# name=value` lines at the top. Other names there are ordinary comments. */
export interface Directives {
  /** Accepted and not acted on: this parser is the one for every `docker/dockerfile` version. */
  readonly syntax?: Directive;
  readonly escape?: Directive;
  readonly check?: Directive;
}

export interface Directive {
  readonly value: string;
  readonly line: number;
}

const NAMES = ['syntax', 'escape', 'check'] as const;

/**
 * Reads the directives from the first lines. The first line that is none ends them.
 * https://docs.docker.com/reference/dockerfile/#parser-directives
 */
export function parseDirectives(lines: Iterable<string>, file: string): Directives {
  const found: Partial<Record<(typeof NAMES)[number], Directive>> = {};
  let line = 0;
  for (const text of lines) {
    line++;
    const match = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=(.*)/.exec(text);
    const name = NAMES.find((known) => known === match?.[1]?.toLowerCase());
    const value = match?.[2]?.trim() ?? '';
    if (name === undefined || value === '') break;
    const source = { file, line, endLine: line };
    if (found[name]) throw parseFault(source, 'DIRECTIVE_REPEATED', `only one ${name} parser directive can be used`);
    if (name === 'escape' && value !== '\\' && value !== '`')
      throw parseFault(source, 'ESCAPE_INVALID', `invalid escape token '${value}' does not match \` or \\`);
    found[name] = { value, line };
  }
  return found;
}
