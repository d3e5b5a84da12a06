import { readFileSync } from 'node:fs';
import { Failure, type FailureDetail, systemCode } from '../lib/error.ts';

/** Messages of a runtime's JSON log, oldest first; none when it wrote none. */
export function readRuntimeLog(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').slice(0, LOG_LIMIT);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      const entry: unknown = JSON.parse(line);
      const isError = typeof entry === 'object' && entry !== null && 'level' in entry && entry.level === 'error';
      return isError && 'msg' in entry ? String(entry.msg) : [];
    } catch {
      return []; // an unfinished line
    }
  });
}

const LOG_LIMIT = 1 << 20;

/**
 * Why a container did not start, in the words that Docker's clients look for, with the exit code that they derive: 127
 * when the program is missing, 126 when it cannot be executed, 128 otherwise.
 */
export function startFailure(start: {
  readonly runtime: 'crun' | 'runc';
  readonly what: 'create' | 'exec';
  readonly program: string;
  readonly messages: readonly string[];
  readonly exitCode: number;
}): Failure {
  const { runtime, what } = start;
  const last = start.messages.at(-1) ?? `${runtime} ended with code ${start.exitCode}`;
  const text =
    runtime === 'crun' ? asRunc(last, start.program) : last.replace(/^(?:runc )?(?:run|create|exec) failed: /, '');
  const step = what === 'exec' ? 'exec failed' : `${runtime} create failed`;
  const message = `OCI runtime ${what} failed: ${step}: ${text}: unknown`;
  const code = exitCodeOf(text);
  const kind = code === 128 ? 'internal' : 'invalid';
  return new Failure(kind, 'CONTAINER_START', message, { exitCode: code, ...hintOf(text) });
}

function exitCodeOf(text: string): number {
  if (text.includes('chdir to cwd')) return 126;
  if (!text.includes('exec: ') && !text.includes('exec user process')) return 128;
  if (/executable file not found|no such file or directory/.test(text)) return 127;
  return /permission denied|is a directory|exec format error|not a directory/i.test(text) ? 126 : 128;
}

function hintOf(text: string): FailureDetail {
  if (/exec format error/i.test(text))
    return { hint: 'the program is for another architecture, or a script without "#!"' };
  return {};
}

/** crun's messages about the program itself, as runc says them. */
function asRunc(text: string, program: string): string {
  const prefix = `unable to start container process: exec: "${program}": `;
  if (/executable file .* not found/.test(text))
    return (
      prefix +
      (program.includes('/') ? `stat ${program}: no such file or directory` : 'executable file not found in $PATH')
    );
  if (program === '') return `${prefix}executable file not found in $PATH`;
  if (/^(?:open executable|exec.*): (?:Permission denied|Operation not permitted)$/.test(text))
    return `${prefix}permission denied`;
  const folder = /^chdir `(.*)`: (.*)$/.exec(text);
  if (folder) {
    const [, path = '', reason = ''] = folder;
    return `unable to start container process: chdir to cwd ("${path}") set in config.json failed: ${reason.toLowerCase()}`;
  }
  if (/^exec.*: Exec format error$/.test(text)) return `${prefix}exec format error`;
  return text;
}
