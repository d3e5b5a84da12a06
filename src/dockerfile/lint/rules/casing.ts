import type { Instruction } from '../../instruction.ts';
import { splitPort } from '../../ports.ts';
import type { Rule } from '../rule.ts';
import { wordAt } from './words.ts';

export const stageNameCasing: Rule = {
  name: 'StageNameCasing',
  description: 'stage names are lower case',
  level: 'warning',
  *check(model) {
    for (const { from } of model.stages) {
      const name = from.asWritten?.name;
      if (name === undefined || name === name.toLowerCase()) continue;
      const at = from.original.length - name.length;
      const edit = model.edit(from, at, from.original.length, name.toLowerCase());
      yield { instruction: from, at, message: `Stage name '${name}' should be lowercase`, edits: edit && [edit] };
    }
  },
};

export const fromAsCasing: Rule = {
  name: 'FromAsCasing',
  description: 'AS is written in the case of its FROM',
  level: 'warning',
  *check(model) {
    for (const { from } of model.stages) {
      const written = from.asWritten?.keyword;
      const wanted = casedLike(from.keyword, 'as');
      if (written === undefined || wanted === undefined || written === wanted) continue;
      const at = from.original.search(/\sas\s+\S+$/i) + 1;
      const edit = model.edit(from, at, at + 2, wanted);
      const message = `'${written}' and '${from.keyword}' keywords' casing do not match`;
      yield { instruction: from, at, message, edits: edit && [edit] };
    }
  },
};

export const consistentInstructionCasing: Rule = {
  name: 'ConsistentInstructionCasing',
  description: 'all instructions of a file are in upper case, or all in lower case',
  level: 'warning',
  *check(model) {
    const { instructions } = model.dockerfile;
    const lower = instructions.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
    const upper = instructions.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
    for (const instruction of instructions) {
      const { keyword } = instruction;
      const wanted = lower > upper ? keyword.toLowerCase() : keyword.toUpperCase();
      if (keyword === wanted) continue;
      const edit = model.edit(instruction, 0, keyword.length, wanted);
      const which = lower > upper ? 'lowercase' : 'uppercase';
      const message = `Command '${keyword}' should match the case of the command majority (${which})`;
      yield { instruction, at: 0, message, edits: edit && [edit] };
    }
  },
};

export const exposeProtoCasing: Rule = {
  name: 'ExposeProtoCasing',
  description: 'the protocol of EXPOSE is lower case',
  level: 'warning',
  *check(model) {
    for (const [instruction, word] of exposedWords(model.stages)) {
      const { protocol } = splitPort(word);
      if (protocol === protocol.toLowerCase()) continue;
      const at = wordAt(instruction, word);
      const edit = model.edit(instruction, at, at + word.length, word.toLowerCase());
      const message = `Defined protocol '${word}' in EXPOSE instruction should be lowercase`;
      yield { instruction, at, message, edits: edit && [edit] };
    }
  },
};

export const exposeInvalidFormat: Rule = {
  name: 'ExposeInvalidFormat',
  description: 'EXPOSE names ports of the container, no address and no port of the host',
  level: 'warning',
  *check(model) {
    for (const [instruction, word] of exposedWords(model.stages)) {
      const { address, host, port, protocol } = splitPort(word);
      if (address === '' && host === '') continue;
      const at = wordAt(instruction, word);
      const edit = model.edit(instruction, at, at + word.length, protocol === '' ? port : `${port}/${protocol}`);
      const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;
      yield { instruction, at, message, edits: edit && [edit] };
    }
  },
};

function* exposedWords(stages: readonly { instructions: readonly Instruction[] }[]): Generator<[Instruction, string]> {
  for (const { instructions } of stages)
    for (const instruction of instructions)
      if (instruction.kind === 'EXPOSE')
        for (const word of instruction.ports) if (!word.includes('$')) yield [instruction, word];
}

/** `text` in the case of `model`, or undefined when that is mixed. */
function casedLike(model: string, text: string): string | undefined {
  if (model === model.toUpperCase()) return text.toUpperCase();
  return model === model.toLowerCase() ? text : undefined;
}
