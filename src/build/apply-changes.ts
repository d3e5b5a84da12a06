import { parseDockerfile } from '../dockerfile/parse.ts';
import { expandWord } from '../dockerfile/word.ts';
import { Failure } from '../lib/error.ts';
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
  for (const instruction of parseDockerfile(changes.join('\n'), { file: '--change' }).instructions) {
    if (!ALLOWED.includes(instruction.kind) || !isMetadata(instruction))
      throw new Failure('invalid', 'CHANGE_INVALID', `${instruction.keyword} is not a valid change command`, {
        hint: `one of ${ALLOWED.join(', ')}`,
      });
    const env = new Map(
      (changed.Env ?? []).map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
    const expand = (word: string) => expandWord(word, (name) => env.get(name));
    changed = applyMetadata(changed, instruction, { expand, cmdIsInherited }).config;
    if (instruction.kind === 'CMD') cmdIsInherited = false;
  }
  return changed;
}
