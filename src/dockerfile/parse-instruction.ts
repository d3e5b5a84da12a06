import { isFailure, messageOf, type SourceRange } from '../lib/error.ts';
import { ArgumentFault, parseCommandLine, parseJsonArray, parsePairs, splitAtSpace, splitWords } from './arguments.ts';
import { parseFault } from './failure.ts';
import { parseFileArguments } from './file-arguments.ts';
import { checkFlags, FlagFault, type FlagKind, type FlagValues, splitFlags } from './flags.ts';
import { parseHealthcheck } from './healthcheck.ts';
import type {
  ArgDefinition,
  Comment,
  Heredoc,
  Instruction,
  InstructionBase,
  InstructionKind,
  Segment,
} from './instruction.ts';
import { positionAt } from './position.ts';
import { parseRunFlags } from './run-flags.ts';
import { didYouMean } from './suggest.ts';
import { cutAtSpace, trim } from './text.ts';

/** An instruction's text before it is typed. */
export interface RawInstruction {
  readonly file: string;
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly line: number;
  readonly endLine: number;
  readonly comments: readonly Comment[];
  readonly emptyLines: readonly number[];
  readonly heredocs: readonly Heredoc[];
  readonly escapeCharacter: string;
}

/** The instruction's words: name, flags, and the rest, trimmed. */
interface Parts {
  readonly base: InstructionBase;
  readonly rest: string;
  readonly restAt: number;
  readonly escapeCharacter: string;
}

type Parser = (parts: Parts, flags: FlagValues) => Instruction;

const HEALTHCHECK_FLAGS = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;
const FILE_FLAGS = { chown: 'text', chmod: 'text', link: 'boolean', exclude: 'list' } as const;

const GRAMMAR: Readonly<Record<InstructionKind, { flags: Readonly<Record<string, FlagKind>>; parse: Parser }>> = {
  ADD: { flags: { ...FILE_FLAGS, checksum: 'text', 'keep-git-dir': 'boolean', unpack: 'boolean' }, parse: parseAdd },
  ARG: { flags: {}, parse: parseArg },
  CMD: { flags: {}, parse: ({ base, rest }) => ({ ...base, kind: 'CMD', command: parseCommandLine(rest) }) },
  COPY: { flags: { ...FILE_FLAGS, from: 'text', parents: 'boolean' }, parse: parseCopy },
  ENTRYPOINT: {
    flags: {},
    parse: ({ base, rest }) => ({ ...base, kind: 'ENTRYPOINT', command: parseCommandLine(rest) }),
  },
  ENV: {
    flags: {},
    parse: ({ base, rest, escapeCharacter }) => ({
      ...base,
      kind: 'ENV',
      pairs: parsePairs(rest, 'ENV', escapeCharacter),
    }),
  },
  EXPOSE: {
    flags: {},
    parse: ({ base, rest }) => ({ ...base, kind: 'EXPOSE', ports: someOf(splitAtSpace(rest), 'EXPOSE').sort() }),
  },
  FROM: { flags: { platform: 'text' }, parse: parseFrom },
  HEALTHCHECK: {
    flags: HEALTHCHECK_FLAGS,
    parse: ({ base, rest }, flags) => ({ ...base, kind: 'HEALTHCHECK', check: parseHealthcheck(rest, flags) }),
  },
  LABEL: {
    flags: {},
    parse: ({ base, rest, escapeCharacter }) => ({
      ...base,
      kind: 'LABEL',
      pairs: parsePairs(rest, 'LABEL', escapeCharacter),
    }),
  },
  MAINTAINER: {
    flags: {},
    parse: ({ base, rest }) => ({ ...base, kind: 'MAINTAINER', maintainer: oneOf(rest, 'MAINTAINER') }),
  },
  ONBUILD: { flags: {}, parse: parseOnbuild },
  RUN: { flags: { mount: 'list', network: 'text', security: 'text', device: 'list' }, parse: parseRun },
  SHELL: { flags: {}, parse: parseShell },
  STOPSIGNAL: {
    flags: {},
    parse: ({ base, rest }) => ({ ...base, kind: 'STOPSIGNAL', signal: oneOf(rest, 'STOPSIGNAL') }),
  },
  USER: { flags: {}, parse: ({ base, rest }) => ({ ...base, kind: 'USER', user: oneOf(rest, 'USER') }) },
  VOLUME: { flags: {}, parse: parseVolume },
  WORKDIR: { flags: {}, parse: ({ base, rest }) => ({ ...base, kind: 'WORKDIR', path: oneOf(rest, 'WORKDIR') }) },
};

/** Types one instruction. Throws Failure with its place and Docker's message. */
export function parseInstruction(raw: RawInstruction): Instruction {
  const [keyword, rest = ''] = cutAtSpace(raw.text);
  const source = rangeOf(raw, undefined);
  const kind = kindOf(keyword);
  if (!kind) {
    const near = didYouMean(keyword, Object.keys(GRAMMAR));
    const suggestion = keyword === keyword.toLowerCase() ? near.replace(/[A-Z]+/, (name) => name.toLowerCase()) : near;
    throw parseFault(rangeOf(raw, 0), 'INSTRUCTION_UNKNOWN', `unknown instruction: ${keyword}${suggestion}`);
  }
  const { flags, rest: args, restAt } = splitFlags(rest, raw.text.length - rest.length, raw.escapeCharacter);
  const { text: original, segments, heredocs, comments, emptyLines } = raw;
  const trimmed = trim(args);
  const parts: Parts = {
    base: { source, original, segments, keyword, flags, heredocs, comments, emptyLines },
    rest: trimmed,
    restAt: trimmed === '' ? restAt : raw.text.indexOf(trimmed, restAt),
    escapeCharacter: raw.escapeCharacter,
  };
  try {
    const grammar = GRAMMAR[kind];
    return grammar.parse(parts, checkFlags(flags, grammar.flags));
  } catch (error) {
    if (error instanceof ArgumentFault) {
      const at = error.at === undefined ? undefined : error.at + parts.restAt;
      throw parseFault(rangeOf(raw, at), 'INSTRUCTION_INVALID', error.message);
    }
    if (error instanceof FlagFault) throw parseFault(rangeOf(raw, error.at), 'FLAG_INVALID', error.message);
    if (isFailure(error) && !error.source) throw parseFault(source, error.code, messageOf(error), error.hint);
    throw error;
  }
}

/** Whether bodies may follow this instruction: RUN, COPY and ADD that are no JSON array, and ONBUILD of these. */
export function takesHeredocs(text: string, escapeCharacter: string): boolean {
  const [keyword, rest = ''] = cutAtSpace(text);
  const kind = kindOf(keyword);
  const args = trim(splitFlags(rest, 0, escapeCharacter).rest);
  if (kind === 'ONBUILD') return takesHeredocs(args, escapeCharacter);
  if (kind !== 'RUN' && kind !== 'COPY' && kind !== 'ADD') return false;
  try {
    return parseJsonArray(args) === undefined;
  } catch {
    return false;
  }
}

function kindOf(keyword: string): InstructionKind | undefined {
  const upper = keyword.toUpperCase();
  // The keys of GRAMMAR are exactly the kinds.
  return Object.hasOwn(GRAMMAR, upper) ? (upper as InstructionKind) : undefined;
}

function rangeOf(raw: RawInstruction, at: number | undefined): SourceRange {
  const { file, line, endLine } = raw;
  if (at === undefined) return { file, line, endLine };
  const position = positionAt(raw.segments, at);
  return { file, line: position.line, endLine: Math.max(position.line, endLine), column: position.column };
}

function oneOf(rest: string, kind: InstructionKind): string {
  if (rest === '') throw new ArgumentFault(`${kind} requires exactly one argument`);
  return rest;
}

function someOf(words: string[], kind: InstructionKind): string[] {
  if (words.length === 0) throw new ArgumentFault(`${kind} requires at least one argument`);
  return words;
}

function parseFrom({ base, rest }: Parts, flags: FlagValues): Instruction {
  const [image, keyword, written, extra] = splitAtSpace(rest);
  const named = keyword !== undefined && written !== undefined && extra === undefined && keyword.toLowerCase() === 'as';
  if (image === undefined || (keyword !== undefined && !named))
    throw new ArgumentFault('FROM requires either one or three arguments', 0);
  const as = named ? written.toLowerCase() : undefined;
  if (as !== undefined && !/^[a-z][a-z0-9_.-]*$/.test(as))
    throw new ArgumentFault(
      `invalid name for build stage: ${JSON.stringify(written)}, name can't start with a number or contain symbols`,
      rest.length - (written?.length ?? 0),
    );
  const asWritten = named ? { keyword, name: written } : undefined;
  return { ...base, kind: 'FROM', image, platform: flags.text('platform') || undefined, as, asWritten };
}

function parseRun({ base, rest }: Parts, flags: FlagValues): Instruction {
  const command = parseCommandLine(rest);
  if (command.form === 'exec' ? command.argv.length === 0 : command.text === '')
    throw new ArgumentFault('RUN requires at least one argument');
  return { ...base, kind: 'RUN', command, ...parseRunFlags(flags) };
}

function parseCopy({ base, rest }: Parts, flags: FlagValues): Instruction {
  const from = flags.text('from') || undefined;
  if (from !== undefined && /[$'"]/.test(from))
    throw new ArgumentFault(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    );
  const parents = flags.boolean('parents') ?? false;
  return { ...base, kind: 'COPY', ...parseFileArguments('COPY', rest, base.heredocs, flags), from, parents };
}

function parseAdd({ base, rest }: Parts, flags: FlagValues): Instruction {
  return {
    ...base,
    kind: 'ADD',
    ...parseFileArguments('ADD', rest, base.heredocs, flags),
    checksum: flags.text('checksum') || undefined,
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

function parseArg({ base, rest, escapeCharacter }: Parts): Instruction {
  const args = splitWords(rest, escapeCharacter).map(({ word, at }): ArgDefinition => {
    const equals = word.indexOf('=');
    if (equals === 0) throw new ArgumentFault('ARG names can not be blank', at);
    return equals < 0
      ? { name: word, default: undefined }
      : { name: word.slice(0, equals), default: word.slice(equals + 1) };
  });
  if (args.length === 0) throw new ArgumentFault('ARG requires at least one argument');
  return { ...base, kind: 'ARG', args };
}

function parseVolume({ base, rest }: Parts): Instruction {
  const paths = someOf(parseJsonArray(rest) ?? splitAtSpace(rest), 'VOLUME').map(trim);
  if (paths.includes('')) throw new ArgumentFault('VOLUME specified can not be an empty string', 0);
  return { ...base, kind: 'VOLUME', paths };
}

function parseShell({ base, rest }: Parts): Instruction {
  const shell = parseJsonArray(rest);
  if (rest === '' || shell?.length === 0) throw new ArgumentFault('SHELL requires at least one argument');
  if (!shell) throw new ArgumentFault('SHELL requires the arguments to be in JSON form', 0);
  return { ...base, kind: 'SHELL', shell };
}

function parseOnbuild({ base, rest, restAt, escapeCharacter }: Parts): Instruction {
  if (rest === '') throw new ArgumentFault('ONBUILD requires at least one argument');
  const name = cutAtSpace(rest)[0].toUpperCase();
  if (name === 'ONBUILD') throw new ArgumentFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", 0);
  if (name === 'MAINTAINER' || name === 'FROM')
    throw new ArgumentFault(`${name} isn't allowed as an ONBUILD trigger`, 0);
  const instruction = parseInstruction({
    ...base.source,
    text: rest,
    segments: base.segments.map((segment) => ({ ...segment, at: segment.at - restAt })),
    comments: [],
    emptyLines: [],
    heredocs: base.heredocs,
    escapeCharacter,
  });
  const bodies = base.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('');
  return { ...base, kind: 'ONBUILD', trigger: rest + bodies, instruction };
}
