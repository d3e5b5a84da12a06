import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { heredocText } from '../../dockerfile/heredoc.ts';
import type { RunInstruction } from '../../dockerfile/instruction.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { digestOf } from '../../oci/digest.ts';
import type { BuildSession } from '../session.ts';
import type { PlannedMount } from './run-mounts.ts';

/** A heredoc that is a program of its own: its first line names the interpreter, as for every script. */
export interface Script {
  /** Where the container has it. */
  readonly path: string;
  readonly text: string;
}

/** The script of `RUN <<EOF` whose body begins with `#!`. https://docs.docker.com/reference/dockerfile/#here-documents */
export function scriptOf({ command, heredocs: [only, second] }: RunInstruction): Script | undefined {
  if (command.form !== 'shell' || !only || second || !isLoneHeredoc(command.text)) return undefined;
  const text = heredocText(only);
  return text.startsWith('#!') ? { path: `/dev/pipes/${only.name}`, text } : undefined;
}

/** The command is nothing but `<<NAME`. */
export function isLoneHeredoc(text: string): boolean {
  return /^\d*<<-?\s*["']?[A-Za-z0-9_.]+["']?$/.test(text.trim());
}

/** The script as a file that can be run. */
export function planScript({ store }: BuildSession, { path, text }: Script): PlannedMount {
  return {
    name: path,
    key: `script ${digestOf(text)}`,
    async open(scope) {
      const folder = scope.use(makeScratchFolder(store.scratch, 'script'));
      const source = join(folder.path, 'script');
      writeFileSync(source, text, { flag: 'wx' });
      chmodSync(source, 0o755);
      return { mounts: [{ kind: 'bind', source, target: path, readOnly: true }], secretEnv: [] };
    },
  };
}
