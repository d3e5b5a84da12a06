import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { listenForTerminal } from '../host/console-socket.ts';
import { DescriptorStream } from '../host/descriptor-stream.ts';
import type { HeldProcess, Keeper } from '../host/keeper/keeper-client.ts';
import { inputPipe, outputPipe } from '../host/pipes.ts';
import { type ExitStatus, waitForExit } from '../host/reaper.ts';
import type { RuntimeCall, StartOptions } from '../host/runtime.ts';
import { Terminal } from '../host/terminal.ts';
import { Failure } from '../lib/error.ts';

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
  /** Starts it so that it survives this host. */
  readonly keeper?: Keeper | undefined;
  readonly signal: AbortSignal;
}

/** Starts a process through the runtime with pipes or a terminal. When it cannot start, nothing is left open. */
export async function startProcess(options: ProcessStart): Promise<StartedProcess> {
  const bundle = mkdtempSync(join(options.runFolder, 'b-'));
  try {
    writeFileSync(join(bundle, options.document.name), JSON.stringify(options.document.content));
    if (options.keeper) return await startKept(options, options.keeper, bundle);
    return await (options.tty ? startOnTerminal(options, bundle) : startOnPipes(options, bundle));
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

/** The process that a keeper keeps, with streams of our own; input that was ended is ended for good. */
export function heldProcess(held: HeldProcess): StartedProcess {
  const { pid, exited } = held;
  const descriptors = held.openStreams();
  if ('terminal' in descriptors) {
    const terminal = new Terminal(descriptors.terminal);
    const kept = { stopReading: () => terminal.stop(), forget: held.forget };
    return { ...onTerminal(pid, exited, terminal), kept };
  }
  const stdout = new DescriptorStream(descriptors.stdout);
  const stderr = new DescriptorStream(descriptors.stderr);
  const input = descriptors.stdin === undefined ? undefined : new Socket({ fd: descriptors.stdin, readable: false });
  input?.once('finish', held.endInput);
  return {
    pid,
    exited,
    outputs: [
      { name: 'stdout', source: stdout },
      { name: 'stderr', source: stderr },
    ],
    input,
    resize: () => {},
    kept: {
      stopReading: () => {
        stdout.stop();
        stderr.stop();
      },
      forget: held.forget,
    },
  };
}

async function startKept(options: ProcessStart, keeper: Keeper, bundle: string): Promise<StartedProcess> {
  const { start, id, program, tty, stdin, signal } = options;
  const consoleSocket = tty ? join(bundle, 'console') : undefined;
  let process: HeldProcess | undefined;
  const stdio = async (call: RuntimeCall) => {
    const started = await keeper.start({ key: id, call, input: stdin, consoleSocket });
    process = started.process;
    return started.exitCode;
  };
  await start({ id, program, bundle, stdio, ...(consoleSocket === undefined ? {} : { consoleSocket }), signal });
  if (!process) throw new Failure('internal', 'KEEPER_SILENT', 'the keeper started nothing');
  return heldProcess(process);
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
  return onTerminal(pid, exited, new Terminal(await socket.terminal));
}

function onTerminal(pid: number, exited: Promise<ExitStatus>, terminal: Terminal): StartedProcess {
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
