import { readFileSync } from 'node:fs';
import { Failure, type FailureDetail, systemCode } from '../lib/error.ts';

export interface RuntimeProgram {
  readonly name: 'crun' | 'runc';
  readonly path: string;
  /** What `--version` says first, without the name. */
  readonly version: string;
}

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
export function startFailure(
  runtime: string,
  what: 'create' | 'exec',
  messages: readonly string[],
  exitCode: number,
): Failure {
  const last = messages.at(-1) ?? `${runtime} ended with code ${exitCode}`;
  const text = runtime === 'crun' ? asRunc(last) : last.replace(/^(?:runc )?(?:run|create|exec) failed: /, '');
  const step = what === 'exec' ? 'exec failed' : `${runtime} create failed`;
  const message = `OCI runtime ${what} failed: ${step}: ${text}: unknown`;
  const code = exitCodeOf(text);
  return new Failure(code === 128 ? 'internal' : 'invalid', 'CONTAINER_START', message, {
    exitCode: code,
    ...hintOf(text),
  });
}

function exitCodeOf(text: string): number {
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
function asRunc(text: string): string {
  const missing = /executable file [`'"]([^`'"]*)[`'"] not found/.exec(text)?.[1];
  const prefix = 'unable to start container process: exec: ';
  if (missing?.includes('/')) return `${prefix}"${missing}": stat ${missing}: no such file or directory`;
  if (missing !== undefined) return `${prefix}"${missing}": executable file not found in $PATH`;
  const denied = /(?:exec(?:utable)?|open executable|execv)[^`'"]*[`'"]?([^`'":]*)[`'"]?: Permission denied/i.exec(
    text,
  );
  if (denied) return `${prefix}"${denied[1]?.trim()}": permission denied`;
  return text;
}
