import type { Instruction, Pair } from '../../instruction.ts';
import type { Rule } from '../rule.ts';
import { splitShell } from '../shell.ts';

export const noEmptyContinuation: Rule = {
  name: 'NoEmptyContinuation',
  description: 'there are no empty lines inside an instruction',
  level: 'warning',
  *check(model) {
    for (const instruction of model.dockerfile.instructions) {
      const { emptyLines } = instruction;
      const [first] = emptyLines;
      if (first === undefined) continue;
      const edits = emptyLines.map((line) => model.editLines(line, line, ''));
      yield { instruction, lines: [first, emptyLines.at(-1) ?? first], message: 'Empty continuation line', edits };
    }
  },
};

export const legacyKeyValueFormat: Rule = {
  name: 'LegacyKeyValueFormat',
  description: 'ENV and LABEL are written name=value',
  level: 'warning',
  *check(model) {
    for (const instruction of model.stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'ENV' && instruction.kind !== 'LABEL') continue;
      const pair = instruction.pairs.find(({ legacy }) => legacy);
      if (!pair) continue;
      const { original, keyword } = instruction;
      const start = original.indexOf(pair.name, keyword.length);
      const modern = modernPair(pair, model.dockerfile.escape);
      const edit = modern === undefined ? undefined : model.edit(instruction, start, original.length, modern);
      const message = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
      yield { instruction, message, edits: edit && [edit] };
    }
  },
};

export const maintainerDeprecated: Rule = {
  name: 'MaintainerDeprecated',
  description: 'a label names the author, not MAINTAINER',
  level: 'warning',
  codes: ['DL4000'],
  *check(model) {
    for (const instruction of model.stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'MAINTAINER') continue;
      const { escape: escapeCharacter } = model.dockerfile;
      const value = Array.from(instruction.maintainer, (character) =>
        ['"', '$', escapeCharacter].includes(character) ? escapeCharacter + character : character,
      ).join('');
      const label = instruction.keyword === 'maintainer' ? 'label' : 'LABEL';
      const text = `${label} org.opencontainers.image.authors="${value}"`;
      const edit = model.edit(instruction, 0, instruction.original.length, text);
      const message = 'Maintainer instruction is deprecated in favor of using label';
      yield { instruction, message, edits: edit && [edit] };
    }
  },
};

export const jsonArgsRecommended: Rule = {
  name: 'JSONArgsRecommended',
  description: 'CMD and ENTRYPOINT are JSON arrays, so that signals reach the program',
  level: 'warning',
  codes: ['DL3025'],
  *check(model) {
    for (const stage of model.stages) {
      let shellChosen = stage.parent?.last.has('SHELL') ?? false;
      for (const instruction of stage.instructions) {
        if (instruction.kind === 'SHELL') shellChosen = true;
        if ((instruction.kind !== 'CMD' && instruction.kind !== 'ENTRYPOINT') || shellChosen) continue;
        const { command, original } = instruction;
        if (command.form === 'exec' || command.text === '') continue;
        const start = original.length - command.text.length;
        const json = asJson(command.text);
        const edit = json === undefined ? undefined : model.edit(instruction, start, original.length, json);
        const message = `JSON arguments recommended for ${instruction.keyword} to prevent unintended behavior related to OS signals`;
        yield { instruction, at: start, message, edits: edit && [edit] };
      }
    }
  },
};

export const multipleInstructionsDisallowed: Rule = {
  name: 'MultipleInstructionsDisallowed',
  description: 'a stage has at most one CMD, one ENTRYPOINT and one HEALTHCHECK: only the last counts',
  level: 'warning',
  codes: ['DL3012', 'DL4003', 'DL4004'],
  *check({ stages }) {
    for (const { instructions } of stages) {
      const last = new Map<string, Instruction>();
      for (const instruction of instructions) {
        if (!['CMD', 'ENTRYPOINT', 'HEALTHCHECK'].includes(instruction.kind)) continue;
        const earlier = last.get(instruction.kind);
        const message = `Multiple ${instruction.keyword} instructions should not be used in the same stage because only the last one will be used`;
        if (earlier) yield { instruction: earlier, message };
        last.set(instruction.kind, instruction);
      }
    }
  },
};

export const invalidDefinitionDescription: Rule = {
  name: 'InvalidDefinitionDescription',
  description: 'a comment directly above ARG or a named stage starts with the name that it describes',
  level: 'warning',
  experimental: true,
  *check({ dockerfile }) {
    for (const instruction of dockerfile.instructions) {
      const names =
        instruction.kind === 'ARG'
          ? instruction.args.map(({ name }) => name)
          : instruction.kind === 'FROM' && instruction.as !== undefined
            ? [instruction.as]
            : [];
      const [name] = names;
      const comment = instruction.comments.findLast(({ line }) => line === instruction.source.line - 1);
      if (name === undefined || !comment || /^(check|hadolint)\b/i.test(comment.text)) continue;
      if (names.includes(comment.text.split(' ')[0] ?? '')) continue;
      const example = names.length > 1 ? '<arg_key>' : name;
      const message = `Comment for ${instruction.kind} should follow the format: \`# ${example} <description>\``;
      yield { instruction, lines: [comment.line, comment.line], message };
    }
  },
};

/** `name="value"` with the same meaning, or undefined where quotes or escapes make that hard to say. */
function modernPair({ name, value }: Pair, escapeCharacter: string): string | undefined {
  if (/["']/.test(name + value) || (name + value).includes(escapeCharacter)) return undefined;
  return /^[\w./:@%+,=-]+$/.test(value) ? `${name}=${value}` : `${name}="${value}"`;
}

/** The JSON array of a command that no shell would read differently. */
function asJson(text: string): string | undefined {
  const [command, ...others] = splitShell(text);
  if (!command || others.length > 0 || !command.words.every(({ plain }) => plain)) return undefined;
  const words = command.words.map((word) => word.text);
  const builtin = ['exec', 'cd', 'export', 'source', '.', 'set', 'eval', 'trap', 'ulimit', 'umask', 'wait'];
  if (words.join(' ') !== text.replace(/\s+/g, ' ') || builtin.includes(words[0] ?? '')) return undefined;
  return `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;
}
