import { randomBytes } from 'node:crypto';
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
  readonly bundle: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Short path for sockets. */
  readonly socketFolder: string;
  readonly signal: AbortSignal;
}

/** Starts a process through the runtime with pipes or a terminal. When it cannot start, nothing is left open. */
export function startProcess(options: ProcessStart): Promise<StartedProcess> {
  return options.tty ? startOnTerminal(options) : startOnPipes(options);
}

async function startOnTerminal({ start, id, bundle, socketFolder, signal }: ProcessStart): Promise<StartedProcess> {
  const path = join(socketFolder, `${randomBytes(6).toString('hex')}.sock`);
  using socket = listenForTerminal(path, { signal });
  const none = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } as const;
  const pid = await start({ id, bundle, stdio: none, consoleSocket: path, signal });
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

async function startOnPipes({ start, id, bundle, stdin, signal }: ProcessStart): Promise<StartedProcess> {
  using stdout = outputPipe();
  using stderr = outputPipe();
  using input = stdin ? inputPipe() : undefined;
  try {
    const stdio = { stdin: input?.fd ?? 'ignore', stdout: stdout.fd, stderr: stderr.fd } as const;
    const pid = await start({ id, bundle, stdio, signal });
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
