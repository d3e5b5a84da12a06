import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { listenForTerminal } from '../host/console-socket.ts';
import { inputPipe, outputPipe } from '../host/pipes.ts';
import { type ExitStatus, waitForExit } from '../host/reaper.ts';
import type { StartOptions } from '../host/runtime.ts';

export type OutputName = 'stdout' | 'stderr';

/** A process in a container, with our ends of its streams. */
export interface StartedProcess {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  /** With a terminal one, named stdout. They end when no process has the other end any more. */
  readonly outputs: readonly { readonly name: OutputName; readonly source: Readable }[];
  /** Undefined when standard input is /dev/null. Ending it is end of file for the process, but not on a terminal. */
  readonly input: Writable | undefined;
  resize(rows: number, columns: number): void;
}

export interface ProcessStart {
  /** `run` or `exec` of the runtime. */
  readonly start: (options: StartOptions) => Promise<number>;
  readonly id: string;
  /** Name and content of the document that the runtime reads from its bundle. */
  readonly document: { readonly name: 'config.json' | 'process.json'; readonly content: unknown };
  /** What is to be executed, for messages. */
  readonly program: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Bundles and sockets exist in it for the moment of the start. With a short path, in memory at best. */
  readonly runFolder: string;
  readonly signal: AbortSignal;
}

/** Starts a process through the runtime with pipes or a terminal. When it cannot start, nothing is left open. */
export async function startProcess(options: ProcessStart): Promise<StartedProcess> {
  const bundle = mkdtempSync(join(options.runFolder, 'b-'));
  try {
    writeFileSync(join(bundle, options.document.name), JSON.stringify(options.document.content));
    return await (options.tty ? startOnTerminal(options, bundle) : startOnPipes(options, bundle));
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

async function startOnTerminal({ start, id, program, signal }: ProcessStart, bundle: string): Promise<StartedProcess> {
  using socket = listenForTerminal(join(bundle, 'console'), { signal });
  const pid = await start({
    id,
    program,
    bundle,
    stdio: ['ignore', 'ignore', 'ignore'],
    consoleSocket: socket.path,
    signal,
  });
  const exited = waitForExit(pid);
  const terminal = await socket.terminal;
  return {
    pid,
    exited,
    outputs: [{ name: 'stdout', source: terminal }],
    input: terminal,
    resize: (rows, columns) => terminal.resize(rows, columns),
  };
}

async function startOnPipes(
  { start, id, program, stdin, signal }: ProcessStart,
  bundle: string,
): Promise<StartedProcess> {
  using stdout = outputPipe();
  using stderr = outputPipe();
  using input = stdin ? inputPipe() : undefined;
  try {
    const stdio = [input?.fd ?? 'ignore', stdout.fd, stderr.fd] as const;
    const pid = await start({ id, program, bundle, stdio, signal });
    return {
      pid,
      exited: waitForExit(pid),
      outputs: [
        { name: 'stdout', source: stdout.stream },
        { name: 'stderr', source: stderr.stream },
      ],
      input: input?.stream,
      resize: () => {},
    };
  } catch (error) {
    for (const stream of [stdout.stream, stderr.stream, input?.stream]) stream?.destroy();
    throw error;
  }
}
