import type { SourceRange } from '../lib/error.ts';
import { withSource } from './failure.ts';
import { buildArg, PROXY_ARGS } from './global-args.ts';
import type { ArgInstruction } from './instruction.ts';
import type { StagePlan } from './stages.ts';
import { type Expansion, expandWord, type WordOptions } from './word.ts';

export interface DeclaredArg {
  readonly name: string;
  /** The default: expanded when it is in effect, else as written. */
  readonly default: string | undefined;
  /** The value in effect: `--build-arg`, else the default, else the global ARG. */
  readonly value: string | undefined;
}

/**
 * The variables of one stage while the solver walks its instructions: ENV of the base image and of the stage, and
 * the ARGs declared so far. An ENV always wins over an ARG of the same name.
 */
export class StageScope {
  readonly #plan: StagePlan;
  readonly #env = new Map<string, string>();
  readonly #args: Map<string, string | undefined>;

  /** `env` is the base image's `NAME=value` list; `parent` the finished scope when the base is a stage. */
  constructor(plan: StagePlan, env: readonly string[], parent?: StageScope) {
    this.#plan = plan;
    this.#args = new Map(parent ? parent.#args : []);
    for (const entry of env) {
      const equals = entry.indexOf('=');
      if (equals < 0) this.#env.set(entry, '');
      else this.#env.set(entry.slice(0, equals), entry.slice(equals + 1));
    }
  }

  /** Declares what an ARG instruction names, each visible to the next. */
  declare(instruction: ArgInstruction): DeclaredArg[] {
    return instruction.args.map((definition) => {
      const { name } = definition;
      const given = buildArg(this.#plan.options.buildArgs, name);
      // A default that a build argument replaces is not evaluated: it may refer to what is not set, as ${x:?}.
      const usesDefault = given === undefined && definition.default !== undefined;
      const fallback = usesDefault ? this.expand(definition.default, instruction.source).text : definition.default;
      const inherited = definition.default === undefined ? this.#plan.globals.values.get(name) : undefined;
      const value = given ?? fallback ?? inherited;
      this.#args.set(name, value);
      return { name, default: fallback, value };
    });
  }

  setEnv(name: string, value: string): void {
    this.#env.set(name, value);
  }

  /** Names declared by ARG in this stage or a parent. */
  get declared(): ReadonlySet<string> {
    return new Set(this.#args.keys());
  }

  /** ENV as an image config keeps it: `NAME=value`, in the order of first setting. */
  environment(): string[] {
    return Array.from(this.#env, ([name, value]) => `${name}=${value}`);
  }

  /**
   * The ARGs that a RUN sees, sorted `NAME=value`: what its cache key and history (`|1 WHO=me /bin/sh -c ...`) name.
   * Proxy arguments are among them only when declared.
   */
  buildArguments(): string[] {
    const entries: string[] = [];
    for (const [name, value] of this.#args) {
      if (value !== undefined && !this.#env.has(name)) entries.push(`${name}=${value}`);
    }
    return entries.sort();
  }

  /** Everything a RUN process gets: ENV, the ARGs, and proxy arguments that need no declaration. */
  runEnvironment(): string[] {
    const proxies: string[] = [];
    for (const name of PROXY_ARGS) {
      const value = this.#undeclaredProxy(name);
      if (value !== undefined && !this.#env.has(name)) proxies.push(`${name}=${value}`);
    }
    return [...this.environment(), ...this.buildArguments(), ...proxies];
  }

  lookup(name: string): string | undefined {
    return this.#env.get(name) ?? this.#args.get(name) ?? this.#undeclaredProxy(name);
  }

  /** Expands a word in this scope. */
  expand(word: string, source: SourceRange, options: WordOptions = {}): Expansion {
    try {
      return expandWord(word, (name) => this.lookup(name), { escape: this.#plan.dockerfile.escape, ...options });
    } catch (error) {
      throw withSource(error, source);
    }
  }

  #undeclaredProxy(name: string): string | undefined {
    if (this.#args.has(name) || !PROXY_ARGS.includes(name)) return undefined;
    return buildArg(this.#plan.options.buildArgs, name);
  }
}
