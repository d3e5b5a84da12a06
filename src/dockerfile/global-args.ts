import { formatPlatform, type Platform } from '../oci/platform.ts';
import { withSource } from './failure.ts';
import type { ArgInstruction } from './instruction.ts';
import { type Expansion, expandWord } from './word.ts';

/** The scope of FROM lines, from which a stage's `ARG name` without default inherits. */
export interface GlobalArgs {
  readonly values: ReadonlyMap<string, string>;
  /** Names that ARG instructions before the first FROM declare. */
  readonly declared: ReadonlySet<string>;
  /** Expands a word of a FROM line. Throws Failure without a place. */
  expand(word: string): Expansion;
}

/** Proxy settings that RUN gets without ARG; they are no part of cache keys and history unless ARG declares them. */
export const PROXY_ARGS: readonly string[] = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'FTP_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
].flatMap((name) => [name, name.toLowerCase()]);

const PLATFORM_ARGS = /^(BUILD|TARGET)(PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/;

/** Evaluates the ARG instructions before the first FROM, on top of the platform arguments. */
export function evaluateGlobalArgs(
  instructions: readonly ArgInstruction[],
  options: {
    readonly buildArgs: Readonly<Record<string, string | null>>;
    readonly buildPlatform: Platform;
    readonly targetPlatform: Platform;
    /** Name of the stage to build; empty when it has none. */
    readonly targetStage: string;
    readonly escape: string;
  },
): GlobalArgs {
  const values = new Map<string, string>();
  const declared = new Set<string>();
  const expand = (word: string) => expandWord(word, (name) => values.get(name), { escape: options.escape });
  const given = (name: string) => buildArg(options.buildArgs, name);
  const predefined = [
    ...platformArgs('BUILD', options.buildPlatform),
    ...platformArgs('TARGET', options.targetPlatform),
    ['TARGETSTAGE', options.targetStage === '' ? 'default' : options.targetStage] as const,
  ];
  for (const [name, value] of predefined) values.set(name, given(name) ?? value);
  for (const instruction of instructions) {
    for (const definition of instruction.args) {
      declared.add(definition.name);
      let value = given(definition.name);
      if (value === undefined && definition.default !== undefined) {
        try {
          value = expand(definition.default).text;
        } catch (error) {
          throw withSource(error, instruction.source);
        }
      }
      if (value !== undefined) values.set(definition.name, value);
    }
  }
  return { values, declared, expand };
}

/** The value passed with `--build-arg`; undefined when there is none or it is null. */
export function buildArg(buildArgs: Readonly<Record<string, string | null>>, name: string): string | undefined {
  return Object.hasOwn(buildArgs, name) ? (buildArgs[name] ?? undefined) : undefined;
}

/**
 * Names passed with `--build-arg` that no ARG declared, sorted. Arguments that act without ARG (proxies, platform,
 * SOURCE_DATE_EPOCH, BUILDKIT_*) are never among them.
 */
export function unconsumedBuildArgs(
  buildArgs: Readonly<Record<string, string | null>>,
  declared: ReadonlySet<string>,
): string[] {
  return Object.keys(buildArgs)
    .filter((name) => !declared.has(name) && !actsWithoutArg(name))
    .sort();
}

function actsWithoutArg(name: string): boolean {
  return (
    PROXY_ARGS.includes(name) ||
    PLATFORM_ARGS.test(name) ||
    name === 'TARGETSTAGE' ||
    name === 'SOURCE_DATE_EPOCH' ||
    name.startsWith('BUILDKIT_')
  );
}

function platformArgs(prefix: 'BUILD' | 'TARGET', platform: Platform): [string, string][] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ];
}
