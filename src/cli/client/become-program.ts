import { fileURLToPath } from 'node:url';
import { HOST_NODE_FLAGS, hostEnvironment } from './host-environment.ts';

/** This process becomes Node with another script: same pid, same streams. Returns only when that failed: the exit code. */
export function becomeProgram(script: URL, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const node = [process.execPath, ...HOST_NODE_FLAGS, '--'];
  process.execve?.(process.execPath, [...node, fileURLToPath(script), ...args], stringsOf(hostEnvironment(env)));
  return 1;
}

function stringsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}
