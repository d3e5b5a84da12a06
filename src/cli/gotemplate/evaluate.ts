import { callFunction, FUNCTIONS } from './functions.ts';
import { type Command, type Fields, type Node, type Operand, type Pipe, parseTemplate } from './parse.ts';
import { isList, isMap, isTrue, kindOf, printed, templateFailure, type Value } from './value.ts';

/** A template ready to print values. */
export type Template = (data: Value) => string;

export interface TemplateOptions {
  /** What to say about a field that a map does not have. Default: what Go says. */
  readonly missing?: (name: string) => string;
  /** Value of a field that is absent (undefined) or null; undefined leaves it as it is. */
  readonly nil?: (name: string) => Value;
  /** Functions instead of the built-in ones of the same name. */
  readonly functions?: Readonly<Record<string, (...args: readonly Value[]) => Value>>;
}

/** Compiles a template of Go's text/template language with the functions that Docker's clients add. */
export function compileTemplate(source: string, options: TemplateOptions = {}): Template {
  const nodes = parseTemplate(source, FUNCTIONS);
  return (data) => {
    const run = new Run(data, options);
    run.walk(nodes, data);
    return run.output;
  };
}

class LoopSignal extends Error {
  readonly kind: 'break' | 'continue';

  constructor(kind: 'break' | 'continue') {
    super(kind);
    this.kind = kind;
  }
}

/** One execution of a template. */
class Run {
  output = '';
  readonly #options: TemplateOptions;
  /** Variables in scope, innermost last. */
  readonly #variables: { name: string; value: Value }[];

  constructor(data: Value, options: TemplateOptions) {
    this.#options = options;
    this.#variables = [{ name: '$', value: data }];
  }

  walk(nodes: readonly Node[], dot: Value): void {
    for (const node of nodes) {
      switch (node.kind) {
        case 'text':
          this.output += node.text;
          break;
        case 'action': {
          const value = this.#pipe(node.pipe, dot);
          if (node.pipe.variables.length === 0) this.output += printed(value);
          break;
        }
        case 'if':
          this.#scoped(() => this.walk(isTrue(this.#pipe(node.pipe, dot)) ? node.then : node.otherwise, dot));
          break;
        case 'with':
          this.#scoped(() => {
            const value = this.#pipe(node.pipe, dot);
            if (isTrue(value)) this.walk(node.then, value);
            else this.walk(node.otherwise, dot);
          });
          break;
        case 'range':
          this.#scoped(() => this.#range(node, dot));
          break;
        case 'break':
        case 'continue':
          throw new LoopSignal(node.kind);
      }
    }
  }

  #scoped(work: () => void): void {
    const mark = this.#variables.length;
    try {
      work();
    } finally {
      this.#variables.length = mark;
    }
  }

  #range(node: Extract<Node, { kind: 'range' }>, dot: Value): void {
    const value = this.#pipe({ ...node.pipe, variables: [] }, dot);
    const entries = this.#entries(value, node.pipe);
    if (entries.length === 0) this.walk(node.otherwise, dot);
    const { variables } = node.pipe;
    for (const [key, item] of entries) {
      const mark = this.#variables.length;
      const bound = variables.length === 2 ? [key, item] : [item];
      variables.forEach((name, index) => {
        if (node.pipe.declares) this.#variables.push({ name, value: bound[index] });
        else this.#assign(name, bound[index]);
      });
      try {
        this.walk(node.then, item);
      } catch (error) {
        if (!(error instanceof LoopSignal)) throw error;
        if (error.kind === 'break') break;
      } finally {
        this.#variables.length = mark;
      }
    }
  }

  #entries(value: Value, pipe: Pipe): [Value, Value][] {
    if (value === null || value === undefined) return [];
    if (isList(value)) return value.map((item, index) => [index, item]);
    if (isMap(value))
      return Object.keys(value)
        .sort()
        .map((key) => [key, value[key]]);
    if (typeof value === 'number') return Array.from({ length: value }, (_, index) => [index, index]);
    throw templateFailure(`:${pipe.place}: executing "" : range can't iterate over ${printed(value)}`);
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    let value: Value;
    pipe.commands.forEach((command, index) => {
      value = this.#command(command, dot, index === 0 ? [] : [value]);
    });
    for (const name of pipe.variables) {
      if (pipe.declares) this.#variables.push({ name, value });
      else this.#assign(name, value);
    }
    return value;
  }

  #assign(name: string, value: Value): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable) variable.value = value;
  }

  /** `final` holds the value of the command before in the pipeline, as last argument. */
  #command([head, ...rest]: Command, dot: Value, final: readonly Value[]): Value {
    if (head.kind === 'function') {
      const { name, place } = head;
      // `and` and `or` stop at the first operand that decides.
      const lazy = rest.map((operand) => () => this.#operand(operand, dot, []));
      const args = [...lazy, ...final.map((value) => () => value)];
      try {
        const replaced = this.#options.functions?.[name];
        return replaced ? replaced(...args.map((arg) => arg())) : callFunction(name, args);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw templateFailure(`:${place}: executing "" at <${name}>: error calling ${name}: ${error.message}`);
      }
    }
    const args = [...rest.map((operand) => this.#operand(operand, dot, [])), ...final];
    return this.#operand(head, dot, args);
  }

  #operand(operand: Operand, dot: Value, args: readonly Value[]): Value {
    switch (operand.kind) {
      case 'literal':
        return operand.value;
      case 'dot':
        return this.#fields(dot, operand.fields, args);
      case 'variable': {
        const found = this.#variables.findLast(({ name }) => name === operand.name);
        return this.#fields(found?.value, operand.fields, args);
      }
      case 'pipe':
        return this.#fields(this.#pipe(operand.pipe, dot), operand.fields, args);
      case 'function':
        return this.#command([operand], dot, args);
    }
  }

  #fields(start: Value, fields: Fields, args: readonly Value[]): Value {
    let value = start;
    fields.names.forEach((name, index) => {
      const fail = (message: string) =>
        templateFailure(`:${fields.place}: executing "" at <${fields.chain}>: ${message}`);
      if (isMap(value)) {
        const present = Object.hasOwn(value, name);
        const member = (present ? value[name] : undefined) ?? this.#options.nil?.(name);
        if (!present && member === undefined)
          throw fail(this.#options.missing?.(name) ?? `map has no entry for key "${name}"`);
        const given = index === fields.names.length - 1 ? args : [];
        if (typeof member === 'function') value = member(...given);
        else if (given.length > 0) throw fail(`${name} is not a method but has arguments`);
        else value = member;
      } else if (value === null || value === undefined) throw fail(`nil data; no entry for key "${name}"`);
      else throw fail(`can't evaluate field ${name} in type ${kindOf(value)}`);
    });
    return value;
  }
}
