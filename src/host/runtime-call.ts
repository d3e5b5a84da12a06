import { writeFileSync } from 'node:fs';
import { waitForExit } from './reaper.ts';
import { executableOf, type RuntimeProgram, startRuntime } from './runtime-program.ts';
import { type ProgramDescriptors, type ProgramStdio, spawnProgram } from './spawn-program.ts';

/** A run of the runtime that starts a process and leaves its ID in a file. */
export interface RuntimeCall {
  readonly program: Omit<RuntimeProgram, 'version'>;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly pidFile: string;
  readonly oomScoreAdj?: number;
}

/**
 * Runs the runtime to its end and gives its exit code. Hold orphans meanwhile (reaper.ts). Not stopped by an abort: a
 * container that is half made is the runtime's to undo, and it is soon done.
 */
export async function callRuntime(call: RuntimeCall, stdio: ProgramStdio): Promise<number> {
  const pid = spawnRuntime(call, stdio);
  return (await waitForExit(pid)).exitCode;
}

/** Starts the runtime and returns its process ID. */
export function spawnRuntime(
  { program, args, env, oomScoreAdj }: RuntimeCall,
  descriptors: ProgramDescriptors,
): number {
  const argv = [program.path, ...args];
  const pid = startRuntime(program, () => spawnProgram(executableOf(program), argv, env, descriptors));
  if (oomScoreAdj !== undefined) writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj));
  return pid;
}
