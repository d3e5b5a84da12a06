import { fileURLToPath } from 'node:url';
import { hostEnvironment } from './host-environment.ts';

export interface Program {
  readonly script: URL;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Of Node. Any flag makes it compile its own parts anew: 30 ms. */
  readonly flags?: readonly string[];
}

/** This process becomes Node with another script: same pid, same streams. Returns only when that failed: the exit code. */
export function becomeProgram({ script, args, env, flags = [] }: Program): number {
  const node = [process.execPath, ...flags, '--'];
  process.execve?.(process.execPath, [...node, fileURLToPath(script), ...args], stringsOf(hostEnvironment(env)));
  return 1;
}

function stringsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}
