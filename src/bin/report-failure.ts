import { isFailure } from '../lib/error.ts';

/** Runs a program of the registry to its end; a failure is told and makes the exit code 1. */
export async function reportFailure(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    const hint = isFailure(error) && error.hint !== undefined ? `\n${error.hint}` : '';
    const text = isFailure(error) ? error.message : String(error instanceof Error ? error.stack : error);
    process.stderr.write(`strake registry: ${text}${hint}\n`);
    process.exitCode = 1;
  }
}
