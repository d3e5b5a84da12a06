import { failAt, lex, placeOf, type Token } from './lex.ts';

/** A parsed template: a list of nodes. `place` is where a node stands, `source` its own text, both for messages. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with';
      readonly pipe: Pipe;
      readonly then: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: 'range'; readonly pipe: Pipe; readonly then: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'break' | 'continue' };

export interface Pipe {
  /** Variables that the pipeline sets: `$x :=`, `$i, $x :=`. */
  readonly variables: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly Command[];
  readonly place: string;
}

/** An operand and its arguments. */
export type Command = readonly [Operand, ...Operand[]];

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null; readonly fields: Fields }
  | { readonly kind: 'dot'; readonly fields: Fields }
  | { readonly kind: 'variable'; readonly name: string; readonly fields: Fields }
  | { readonly kind: 'function'; readonly name: string; readonly place: string; readonly fields: Fields }
  | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly fields: Fields };

/** The fields after an operand, with what a message about them says: `1:9`, `.Config.Nope`. */
export interface Fields {
  readonly names: readonly string[];
  readonly place: string;
  readonly chain: string;
}

const NO_FIELDS: Fields = { names: [], place: '', chain: '' };

/** Parses a template. `functions` are the names that may be called. Failures have code TEMPLATE. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly Node[] {
  return new Parser(source, functions).template();
}

class Parser {
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: readonly Token[];
  #at = 0;
  #loops = 0;
  readonly #variables: string[] = ['$'];

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = lex(source);
  }

  template(): readonly Node[] {
    const { nodes, end } = this.#list();
    if (end !== undefined) throw this.#fail(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes up to `{{end}}`, `{{else}}` or the template's end. */
  #list(): { nodes: Node[]; end: 'end' | 'else' | undefined } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (!token) return { nodes, end: undefined };
      this.#at++;
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#skipSpace();
      const word = this.#peek();
      const keyword = word?.kind === 'word' ? word.text : '';
      switch (keyword) {
        case 'if':
        case 'with':
        case 'range':
          this.#at++;
          nodes.push(this.#control(keyword));
          break;
        case 'end':
          this.#at++;
          this.#close();
          return { nodes, end: 'end' };
        case 'else':
          this.#at++;
          return { nodes, end: 'else' };
        case 'break':
        case 'continue':
          if (this.#loops === 0) throw this.#fail(`{{${keyword}}} outside {{range}}`);
          this.#at++;
          this.#close();
          nodes.push({ kind: keyword });
          break;
        default:
          nodes.push({ kind: 'action', pipe: this.#pipe('command') });
          this.#close();
      }
    }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind);
    this.#close();
    if (kind === 'range') this.#loops++;
    const { nodes: then, end } = this.#list();
    if (kind === 'range') this.#loops--;
    let otherwise: readonly Node[] = [];
    if (end === undefined) throw this.#fail('unexpected EOF');
    if (end === 'else') otherwise = this.#otherwise(kind);
    this.#variables.length = scope;
    return { kind, pipe, then, otherwise };
  }

  #otherwise(kind: 'if' | 'with' | 'range'): readonly Node[] {
    this.#skipSpace();
    const next = this.#peek();
    if (next?.kind === 'word' && next.text === kind && kind !== 'range') {
      this.#at++;
      return [this.#control(kind)];
    }
    this.#close();
    const rest = this.#list();
    if (rest.end !== 'end') throw this.#fail(rest.end === 'else' ? 'expected end; found {{else}}' : 'unexpected EOF');
    return rest.nodes;
  }

  #pipe(context: string): Pipe {
    this.#skipSpace();
    const place = placeOf(this.#source, this.#peek()?.at ?? this.#source.length);
    const { variables, declares } = this.#assigned(context);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command(context));
      this.#skipSpace();
      const token = this.#peek();
      if (token?.kind !== 'mark' || token.text !== '|') break;
      this.#at++;
    }
    if (declares) this.#variables.push(...variables);
    return { variables, declares, commands, place };
  }

  #assigned(context: string): { variables: string[]; declares: boolean } {
    const start = this.#at;
    const variables: string[] = [];
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== 'variable') break;
      variables.push(token.text);
      this.#at++;
      this.#skipSpace();
      const next = this.#peek();
      if (next?.kind === 'mark' && next.text === ',' && context === 'range' && variables.length === 1) {
        this.#at++;
        this.#skipSpace();
        continue;
      }
      if (next?.kind === 'mark' && (next.text === ':=' || next.text === '=')) {
        this.#at++;
        return { variables, declares: next.text === ':=' };
      }
      break;
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #command(context: string): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const operand = this.#operand();
      if (!operand) break;
      operands.push(operand);
      const next = this.#peek();
      if (next && next.kind !== 'space' && next.kind !== 'close' && next.kind !== 'mark')
        throw this.#fail(`unexpected <${next.text}> in operand`);
    }
    const [first, ...rest] = operands;
    if (!first) throw this.#fail(`missing value for ${context}`);
    if (first.kind === 'literal' && rest.length > 0)
      throw this.#fail(`can't give argument to non-function ${JSON.stringify(first.value)}`);
    return [first, ...rest];
  }

  #operand(): Operand | undefined {
    const token = this.#peek();
    if (!token) return undefined;
    switch (token.kind) {
      case 'string':
        this.#at++;
        return { kind: 'literal', value: token.text, fields: NO_FIELDS };
      case 'number':
        this.#at++;
        return { kind: 'literal', value: Number(token.text), fields: NO_FIELDS };
      case 'dot':
        this.#at++;
        return { kind: 'dot', fields: NO_FIELDS };
      case 'field':
        return { kind: 'dot', fields: this.#fields('') };
      case 'variable':
        this.#at++;
        if (!this.#variables.includes(token.text)) throw this.#fail(`undefined variable "${token.text}"`);
        return { kind: 'variable', name: token.text, fields: this.#fields(token.text) };
      case 'word':
        this.#at++;
        if (token.text === 'true' || token.text === 'false')
          return { kind: 'literal', value: token.text === 'true', fields: NO_FIELDS };
        if (token.text === 'nil') return { kind: 'literal', value: null, fields: NO_FIELDS };
        if (!this.#functions.has(token.text)) throw this.#fail(`function "${token.text}" not defined`);
        return { kind: 'function', name: token.text, place: placeOf(this.#source, token.at), fields: NO_FIELDS };
      case 'mark': {
        if (token.text !== '(') return undefined;
        this.#at++;
        const pipe = this.#pipe('parenthesized pipeline');
        this.#skipSpace();
        const close = this.#peek();
        if (close?.kind !== 'mark' || close.text !== ')') throw this.#fail('unclosed left paren');
        this.#at++;
        return { kind: 'pipe', pipe, fields: this.#fields('') };
      }
      default:
        return undefined;
    }
  }

  #fields(start: string): Fields {
    const names: string[] = [];
    let at = 0;
    for (let token = this.#peek(); token?.kind === 'field'; token = this.#peek()) {
      this.#at++;
      names.push(token.text);
      // Go names the place of the first field that continues a chain.
      if (names.length === 1 || (names.length === 2 && start === '')) at = token.at;
    }
    return { names, place: placeOf(this.#source, at), chain: `${start}.${names.join('.')}` };
  }

  #close(): void {
    this.#skipSpace();
    const token = this.#peek();
    if (token?.kind !== 'close') throw this.#fail(`unexpected <${token?.text ?? 'EOF'}> in command`);
    this.#at++;
  }

  #skipSpace(): void {
    while (this.#peek()?.kind === 'space') this.#at++;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #fail(message: string): Error {
    return failAt(this.#source, this.#peek()?.at ?? this.#source.length, message);
  }
}
