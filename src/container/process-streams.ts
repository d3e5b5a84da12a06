import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { listenForTerminal } from '../host/console-socket.ts';
import { inputPipe, outputPipe } from '../host/pipes.ts';
import { type ExitStatus, waitForExit } from '../host/reaper.ts';
import type { ProgramStdio } from '../host/spawn-program.ts';
import { Terminal } from '../host/terminal.ts';

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
  /** Of a process that survives this host. */
  readonly kept?: {
    /** Ends its outputs here, after what was read; what comes later is for the next host. */
    stopReading(): void;
    /** After its end: nobody needs its streams any more. */
    forget(): void;
  };
}

/** Streams for a process that does not run yet. Disposing closes the runtime's ends, and ours unless they were taken. */
export interface ProcessStreams extends Disposable {
  /** For the runtime. */
  readonly stdio: ProgramStdio;
  /** Where it is to send the terminal of a process that has one. */
  readonly consoleSocket: string | undefined;
  /** The process that the runtime has started with them takes our ends. */
  take(pid: number): Promise<StartedProcess>;
}

/** Pipes, or with `tty` the place for a terminal, in `folder`. */
export function openStreams(
  folder: string,
  options: { readonly tty: boolean; readonly stdin: boolean; readonly signal: AbortSignal },
): ProcessStreams {
  return options.tty ? terminalStreams(join(folder, 'console'), options) : pipeStreams(options);
}

export function onTerminal(pid: number, exited: Promise<ExitStatus>, terminal: Terminal): StartedProcess {
  return {
    pid,
    exited,
    outputs: [{ name: 'stdout', source: terminal }],
    input: terminal,
    resize: (rows, columns) => terminal.resize(rows, columns),
  };
}

function terminalStreams(path: string, options: { readonly signal: AbortSignal }): ProcessStreams {
  const socket = listenForTerminal(path, options);
  return {
    stdio: ['ignore', 'ignore', 'ignore'],
    consoleSocket: socket.path,
    take: async (pid) => {
      const exited = waitForExit(pid);
      return onTerminal(pid, exited, new Terminal(await socket.terminal));
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

function pipeStreams({ stdin }: { readonly stdin: boolean }): ProcessStreams {
  const stdout = outputPipe();
  const stderr = outputPipe();
  const input = stdin ? inputPipe() : undefined;
  let taken = false;
  return {
    stdio: [input?.fd ?? 'ignore', stdout.fd, stderr.fd],
    consoleSocket: undefined,
    take: async (pid) => {
      taken = true;
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
    },
    [Symbol.dispose]: () => {
      for (const pipe of [stdout, stderr, input]) {
        pipe?.[Symbol.dispose]();
        if (!taken) pipe?.stream.destroy();
      }
    },
  };
}
