import { parseReference } from '../../../oci/reference.ts';
import { evaluateGlobalArgs, PROXY_ARGS } from '../../global-args.ts';
import type { Instruction } from '../../instruction.ts';
import { Suggestions } from '../../suggest.ts';
import { expandWord } from '../../word.ts';
import type { LintModel, LintStage } from '../model.ts';
import type { Problem, Rule } from '../rule.ts';

export const undefinedArgInFrom: Rule = {
  name: 'UndefinedArgInFrom',
  description: 'FROM uses only ARGs that are declared before the first FROM',
  level: 'warning',
  *check({ stages, globals }) {
    const known = new Set([...globals.values.keys(), ...globals.declared]);
    const suggestions = new Suggestions();
    const lookup = (name: string) => (known.has(name) ? '' : undefined);
    for (const { from } of stages) {
      const places = placesOf(from.original);
      for (const name of missingIn([from.image, from.platform ?? ''], lookup, '\\'))
        yield {
          instruction: from,
          at: places.get(name),
          message: `FROM argument '${name}' is not declared${suggestions.didYouMean(name, known)}`,
        };
    }
  },
};

export const invalidDefaultArgInFrom: Rule = {
  name: 'InvalidDefaultArgInFrom',
  description: 'FROM is valid without any build argument',
  level: 'warning',
  *check({ stages, globalInstructions, dockerfile, options }) {
    const platform = { os: 'linux', architecture: 'amd64' };
    const defaults = evaluateGlobalArgs(globalInstructions, {
      buildArgs: {},
      buildPlatform: options.buildPlatform ?? platform,
      targetPlatform: options.targetPlatform ?? platform,
      targetStage: '',
      escape: dockerfile.escape,
    });
    for (const { from } of stages) {
      if (!from.image.includes('$') || isName(() => defaults.expand(from.image).text)) continue;
      const message = `Default value for ARG ${from.image} results in empty or invalid base image name`;
      yield { instruction: from, message };
    }
  },
};

export const undefinedVar: Rule = {
  name: 'UndefinedVar',
  description: 'variables are defined before they are used',
  level: 'warning',
  *check(model) {
    const scopes = new Map<LintStage, Set<string>>();
    const suggestions = new Suggestions();
    for (const stage of model.stages) {
      const inherited = stage.parent && scopes.get(stage.parent);
      const known = new Set(['PATH', ...PROXY_ARGS, ...(inherited ?? []), ...namesOf(stage.base?.env ?? [])]);
      scopes.set(stage, known);
      for (const instruction of stage.instructions)
        yield* undefinedIn(instruction, { model, stage, known, suggestions });
    }
  },
};

export const envSelfReference: Rule = {
  name: 'EnvSelfReference',
  description: 'an ENV does not use what the same ENV defines',
  level: 'warning',
  codes: ['DL3044'],
  *check({ stages, dockerfile }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'ENV') continue;
      const names = new Set(instruction.pairs.map(({ name }) => name));
      const places = placesOf(instruction.original);
      for (const { name, value } of instruction.pairs) {
        for (const used of missingIn([value], () => undefined, dockerfile.escape)) {
          if (used === name || !names.has(used)) continue;
          const message = `$${used} has its old value here: an ENV does not see what it defines itself`;
          yield { instruction, at: places.get(used), message };
        }
      }
    }
  },
};

/** Where an instruction stands: what is defined there. */
interface Scope {
  readonly model: LintModel;
  readonly stage: LintStage;
  readonly known: Set<string>;
  readonly suggestions: Suggestions;
}

function* undefinedIn(instruction: Instruction, scope: Scope): Generator<Problem> {
  const { model, known } = scope;
  const places = placesOf(instruction.original);
  const lookup = (name: string) => (known.has(name) ? '' : undefined);
  if (instruction.kind === 'ARG') {
    for (const { name, default: value } of instruction.args) {
      yield* report(instruction, missingIn([value ?? ''], lookup, model.dockerfile.escape), places, scope);
      known.add(name);
    }
    return;
  }
  const missing = missingIn(wordsOf(instruction), lookup, model.dockerfile.escape);
  if (instruction.kind === 'COPY' || instruction.kind === 'ADD')
    for (const { content, expand } of instruction.inlineSources)
      if (expand) for (const name of missingIn([content], lookup, '\\', true)) missing.add(name);
  yield* report(instruction, missing, places, scope);
  if (instruction.kind === 'ENV') for (const { name } of instruction.pairs) known.add(name);
}

/** Without the base image's ENV only what is likely a slip is told: near a known name, or an ARG left outside the stage. */
function* report(
  instruction: Instruction,
  missing: ReadonlySet<string>,
  places: ReadonlyMap<string, number>,
  { model: { globals }, stage, known, suggestions }: Scope,
): Generator<Problem> {
  for (const name of missing) {
    if (!/^[A-Za-z_]/.test(name)) continue;
    const near = suggestions.nearest(name, known);
    const outside = globals.values.has(name) || globals.declared.has(name);
    if (!stage.base && near === undefined && !outside) continue;
    const suggestion = near === undefined ? '' : ` (did you mean $${near}?)`;
    const help = outside ? `: declare it in this stage with ARG ${name}` : '';
    const message = `Usage of undefined variable '$${name}'${suggestion}${help}`;
    yield { instruction, at: places.get(name), message };
  }
}

/** The words of an instruction that Docker expands. */
function wordsOf(instruction: Instruction): string[] {
  switch (instruction.kind) {
    case 'ENV':
    case 'LABEL':
      return instruction.pairs.flatMap(({ name, value }) => [name, value]);
    case 'COPY':
    case 'ADD': {
      const checksum = instruction.kind === 'ADD' ? instruction.checksum : undefined;
      const { sources, destination, chown, chmod } = instruction;
      return [...sources, destination, chown ?? '', chmod ?? '', checksum ?? ''];
    }
    case 'EXPOSE':
      return [...instruction.ports];
    case 'VOLUME':
      return [...instruction.paths];
    case 'USER':
      return [instruction.user];
    case 'WORKDIR':
      return [instruction.path];
    case 'STOPSIGNAL':
      return [instruction.signal];
    case 'RUN':
      return instruction.mounts.flatMap(({ fields }) => fields.flatMap(({ value }) => value ?? []));
    default:
      return [];
  }
}

function missingIn(
  words: readonly string[],
  lookup: (name: string) => string | undefined,
  escapeCharacter: string,
  plainQuotes = false,
): Set<string> {
  const missing = new Set<string>();
  for (const word of words) {
    if (!word.includes('$')) continue;
    try {
      for (const name of expandWord(word, lookup, { escape: escapeCharacter, plainQuotes }).missing) missing.add(name);
    } catch {
      // The build tells what is wrong with the word.
    }
  }
  return missing;
}

function isName(expand: () => string): boolean {
  try {
    const name = expand();
    if (name !== 'scratch') parseReference(name);
    return true;
  } catch {
    return false;
  }
}

function namesOf(env: readonly string[]): string[] {
  return env.map((entry) => entry.split('=', 1)[0] ?? '');
}

/** Where names are used first, as `$name` or `${name`. */
function placesOf(original: string): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  if (!original.includes('$')) return places;
  for (const { 1: name = '', index } of original.matchAll(/\$\{?(\p{Nd}+|[\p{L}_][\p{L}\p{Nd}_]*|[@*#?$!-])/gu))
    if (!places.has(name)) places.set(name, index);
  return places;
}
