import { posix } from 'node:path';
import { IgnoreMatcher } from '../../ignore.ts';
import type { AddInstruction, CopyInstruction, Instruction } from '../../instruction.ts';
import type { LintModel, LintStage } from '../model.ts';
import type { Rule } from '../rule.ts';
import { cleanPath, isArchive, isUrl } from './words.ts';

export const copyIgnoredFile: Rule = {
  name: 'CopyIgnoredFile',
  description: 'COPY and ADD name no file that .dockerignore leaves out',
  level: 'warning',
  *check({ stages, options }) {
    const patterns = options.ignore ?? [];
    // With exceptions only the files themselves can tell.
    if (patterns.length === 0 || patterns.some(({ exception }) => exception)) return;
    const matcher = new IgnoreMatcher(patterns);
    const all = patterns.some(({ text }) => ['*', '**', '**/*'].includes(text));
    for (const instruction of contextCopies(stages)) {
      for (const source of instruction.sources) {
        if (isUrl(source)) continue;
        const path = posix.join('/', source).replace(/\/$/, '').slice(1);
        if (path === '' ? !all : !matcher.ignores(path)) continue;
        const verb = instruction.kind === 'COPY' ? 'Copy' : 'Add';
        const message = `Attempting to ${verb} file ${JSON.stringify(path === '' ? '.' : path)} that is excluded by .dockerignore`;
        yield { instruction, at: placeOf(instruction, source), message };
      }
    }
  },
};

export const copyInsteadOfAdd: Rule = {
  name: 'CopyInsteadOfAdd',
  description: 'local files are copied with COPY; ADD is for archives and addresses',
  level: 'warning',
  codes: ['DL3020'],
  *check(model) {
    for (const { instructions } of model.stages) {
      for (const instruction of instructions) {
        if (instruction.kind !== 'ADD' || instruction.sources.length === 0) continue;
        if (instruction.sources.some((source) => isUrl(source) || isArchive(source) || /[$*?[]/.test(source))) continue;
        // A file without extension could be an archive, which ADD would unpack.
        const sure = instruction.sources.every((source) => /(^|\/)\.?$|\.[a-z0-9]+$/i.test(source));
        const { checksum, keepGitDir, unpack, keyword } = instruction;
        const plain = checksum === undefined && keepGitDir === undefined && unpack === undefined;
        const copy = keyword === 'add' ? 'copy' : 'COPY';
        const edit = sure && plain ? model.edit(instruction, 0, keyword.length, copy) : undefined;
        const message = `ADD does no more than COPY for ${instruction.sources.join(' ')}: use COPY`;
        yield { instruction, at: 0, message, edits: edit && [edit] };
      }
    }
  },
};

export const addChecksum: Rule = {
  name: 'AddChecksum',
  description: 'ADD from an address states a checksum',
  level: 'note',
  *check({ stages }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'ADD' || instruction.checksum !== undefined) continue;
      const url = instruction.sources.find((source) => /^https?:\/\//.test(source) && !/\.git(?:#|$)/.test(source));
      if (url !== undefined)
        yield {
          instruction,
          at: placeOf(instruction, url),
          message: `what ${url} answers may change: add --checksum=sha256:...`,
        };
    }
  },
};

export const addInsteadOfExtract: Rule = {
  name: 'AddInsteadOfExtract',
  description: 'ADD unpacks a local archive, not COPY and RUN tar',
  level: 'note',
  codes: ['DL3010'],
  *check(model) {
    for (const { instructions } of model.stages) {
      const unpacked = unpackedNames(model, instructions);
      for (const [index, copy] of instructions.entries()) {
        if (copy.kind !== 'COPY' || copy.from !== undefined) continue;
        const archive = copy.sources.find(isArchive);
        const name = archive?.replace(/^.*\//, '');
        if (archive === undefined || name === undefined) continue;
        if ((unpacked.get(name) ?? -1) < index) continue;
        const message = `${archive} is unpacked later and stays in its layer too: ADD unpacks it in one step`;
        yield { instruction: copy, at: placeOf(copy, archive), message };
      }
    }
  },
};

export const copyDestinationRelative: Rule = {
  name: 'CopyDestinationRelative',
  description: 'COPY to a relative path has a WORKDIR before it',
  level: 'warning',
  codes: ['DL3045'],
  *check({ stages }) {
    for (const stage of stages) {
      let set = stage.parent?.last.has('WORKDIR') ?? false;
      for (const instruction of stage.instructions) {
        if (instruction.kind === 'WORKDIR') set = true;
        if (set || (instruction.kind !== 'COPY' && instruction.kind !== 'ADD')) continue;
        if (/^["']?[/$]/.test(instruction.destination)) continue;
        const message = `where ${instruction.destination} is depends on the base image: set WORKDIR before or use an absolute path`;
        yield { instruction, at: placeOf(instruction, instruction.destination), message };
      }
    }
  },
};

export const workdirRelativePath: Rule = {
  name: 'WorkdirRelativePath',
  description: 'the first WORKDIR of a stage is absolute',
  level: 'warning',
  codes: ['DL3000'],
  *check({ stages }) {
    for (const stage of stages) {
      if (stage.parent?.last.has('WORKDIR')) continue;
      const first = stage.instructions.find((instruction) => instruction.kind === 'WORKDIR');
      if (first?.kind !== 'WORKDIR' || /^["']?([/$]|[A-Za-z]:[\\/])/.test(first.path)) continue;
      const message = `Relative workdir ${JSON.stringify(first.path)} can have unexpected results if the base image changes`;
      yield { instruction: first, message };
    }
  },
};

export const chownAfterCopy: Rule = {
  name: 'ChownAfterCopy',
  description: 'COPY sets owner and mode itself',
  level: 'warning',
  *check(model) {
    for (const { instructions } of model.stages) {
      for (const [index, copy] of instructions.entries()) {
        const run = instructions[index + 1];
        if ((copy.kind !== 'COPY' && copy.kind !== 'ADD') || run?.kind !== 'RUN') continue;
        const destination = cleanPath(copy.destination);
        for (const { words, base } of model.commands(run)) {
          const name = words[0]?.text;
          if (
            (name !== 'chown' && name !== 'chmod') ||
            !words.slice(2).some(({ text }) => cleanPath(text) === destination)
          )
            continue;
          const flag = name === 'chown' ? '--chown' : '--chmod';
          const message = `${name} stores every file of ${copy.destination} a second time: use ${copy.kind} ${flag}`;
          yield { instruction: run, at: base === undefined ? undefined : base + (words[0]?.at ?? 0), message };
        }
      }
    }
  },
};

export const copyBeforeInstall: Rule = {
  name: 'CopyBeforeInstall',
  description: 'dependencies are installed before all sources are copied',
  level: 'note',
  *check(model) {
    for (const { instructions } of model.stages) {
      const index = instructions.findIndex(
        (item) =>
          item.kind === 'COPY' && item.from === undefined && item.sources.some((source) => /^\.?\/?$/.test(source)),
      );
      const copy = instructions[index];
      if (!copy) continue;
      for (const run of instructions.slice(index + 1)) {
        const command =
          run.kind === 'RUN'
            ? model.commands(run).find(({ words }) => INSTALLS.test(words.map(({ text }) => text).join(' ')))
            : undefined;
        if (!command) continue;
        const what = command.words
          .slice(0, 3)
          .map(({ text }) => text)
          .join(' ');
        const message = `every changed file runs "${what}" again: copy only its manifest before, the rest after`;
        yield { instruction: copy, message };
        break;
      }
    }
  },
};

const INSTALLS =
  /^(npm (ci|install|i)\b|yarn( install)?$|yarn install|pnpm (i|install)\b|pip3? install .*-r|python3? -m pip install .*-r|poetry install|uv sync|bundle install|composer install|go mod download|cargo fetch|mvn .*dependency:|dotnet restore)/;

/** Names of files that a RUN gives to tar, and the place of the last one that does. */
function unpackedNames(model: LintModel, instructions: readonly Instruction[]): Map<string, number> {
  const names = new Map<string, number>();
  for (const [index, run] of instructions.entries())
    for (const { words } of run.kind === 'RUN' ? model.commands(run) : [])
      if (words[0]?.text === 'tar') for (const { text } of words) names.set(posix.basename(text), index);
  return names;
}

function* contextCopies(stages: readonly LintStage[]): Generator<CopyInstruction | AddInstruction> {
  for (const instruction of stages.flatMap((stage): readonly Instruction[] => stage.instructions))
    if (instruction.kind === 'ADD' || (instruction.kind === 'COPY' && instruction.from === undefined))
      yield instruction;
}

function placeOf(instruction: Instruction, word: string): number | undefined {
  const at = instruction.original.lastIndexOf(word);
  return at < 0 ? undefined : at;
}
