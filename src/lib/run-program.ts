import { spawn } from 'node:child_process';
import { Failure, systemCode } from './error.ts';

export interface ProgramOptions {
  readonly signal: AbortSignal;
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Bytes kept of each of stdout and stderr; what comes after is dropped. Default 1 MiB. */
  readonly limit?: number;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end and returns its exit code (128 + n for a signal) and bounded output. A missing program is
 * a Failure of kind `unavailable`, an aborted signal kills it and is one of kind `cancelled`.
 */
export function runProgram(file: string, args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const limit = options.limit ?? 1 << 20;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      signal: options.signal,
      killSignal: 'SIGKILL',
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout = gather(child.stdout, limit);
    const stderr = gather(child.stderr, limit);
    child.on('error', (error) => {
      if (options.signal.aborted)
        reject(new Failure('cancelled', 'CANCELLED', `${file} was stopped`, { cause: error }));
      else if (systemCode(error) === 'ENOENT')
        reject(new Failure('unavailable', 'PROGRAM_MISSING', `program "${file}" is not installed`, { cause: error }));
      else reject(error);
    });
    child.on('close', (code, signal) => {
      resolve({ exitCode: code ?? 128 + signalNumber(signal), stdout: stdout(), stderr: stderr() });
    });
    if (child.stdin) {
      child.stdin.on('error', () => {}); // EPIPE: the program ended early; its exit code tells
      child.stdin.end(options.stdin);
    }
  });
}

function gather(stream: NodeJS.ReadableStream | null, limit: number): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size < limit) chunks.push(chunk.subarray(0, limit - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : signal === 'SIGINT' ? 2 : 1;
}
