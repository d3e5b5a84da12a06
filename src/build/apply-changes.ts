import type { Instruction } from '../dockerfile/instruction.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { expandWord } from '../dockerfile/word.ts';
import { Failure, isFailure } from '../lib/error.ts';
import type { RunConfig } from '../oci/image-config.ts';
import { applyMetadata, isMetadata } from './metadata.ts';

const ALLOWED = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
];

/** `--change` of import and commit: Dockerfile instructions applied to a config. Variables come from its ENV. */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  if (changes.length === 0) return config;
  let changed = config;
  let cmdIsInherited = true;
  for (const instruction of parseChanges(changes)) {
    if (!ALLOWED.includes(instruction.kind) || !isMetadata(instruction)) throw notAllowed(instruction.keyword);
    const env = new Map(
      (changed.Env ?? []).map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
    const expand = (word: string) => expandWord(word, (name) => env.get(name));
    changed = applyMetadata(changed, instruction, { expand, cmdIsInherited }).config;
    if (instruction.kind === 'CMD') cmdIsInherited = false;
  }
  return changed;
}

/** Failures are in the words that Docker has for changes, which name no line. */
function parseChanges(changes: readonly string[]): readonly Instruction[] {
  try {
    return parseDockerfile(changes.join('\n'), { file: '--change' }).instructions;
  } catch (error) {
    if (!isFailure(error)) throw error;
    const message = error.message.replace(/^dockerfile parse error on line \d+: /, '');
    const unknown = /^unknown instruction: (\S+)/.exec(message)?.[1];
    throw unknown === undefined ? new Failure(error.kind, error.code, message, { cause: error }) : notAllowed(unknown);
  }
}

function notAllowed(keyword: string): Failure {
  return new Failure('invalid', 'CHANGE_INVALID', `${keyword} is not a valid change command`, {
    hint: `one of ${ALLOWED.join(', ')}`,
  });
}
