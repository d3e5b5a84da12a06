import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { DescriptorStream } from '../host/descriptor-stream.ts';
import type { HeldProcess, Keeper } from '../host/keeper/keeper-client.ts';
import type { Runtime, StartOptions } from '../host/runtime.ts';
import type { RuntimeCall } from '../host/runtime-call.ts';
import { Terminal } from '../host/terminal.ts';
import { Failure } from '../lib/error.ts';
import { Scope } from '../lib/scope.ts';
import { onTerminal, openStreams, type StartedProcess } from './process-streams.ts';

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
  /** Of an exec. */
  readonly oomScoreAdj?: number | undefined;
  /** Bundles and sockets exist in it for the moment of the start. With a short path, in memory at best. */
  readonly runFolder: string;
  /** Starts it so that it survives this host; the next one finds it by `key`, with `note`. */
  readonly kept?: { readonly keeper: Keeper; readonly key: string; readonly note?: unknown } | undefined;
  readonly signal: AbortSignal;
}

/** Starts a process through the runtime with pipes or a terminal. When it cannot start, nothing is left open. */
export async function startProcess(options: ProcessStart): Promise<StartedProcess> {
  const bundle = mkdtempSync(join(options.runFolder, 'b-'));
  try {
    writeFileSync(join(bundle, options.document.name), JSON.stringify(options.document.content));
    return await (options.kept ? startKept(options, options.kept, bundle) : startHere(options, bundle));
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

/** An exec without its document, for which the runtime and the streams are ready. Dispose it after the start, too. */
export interface PreparedProcess extends AsyncDisposable {
  /** True when the runtime has ended without being asked: start another one. */
  readonly hasEnded: boolean;
  /** `program` is what is to be executed, for messages. Call it once. */
  start(document: unknown, program: string): Promise<StartedProcess>;
}

/** Starts the runtime for one more process in a running container; see `Runtime.prepareExec`. */
export async function prepareExec(
  options: Pick<ProcessStart, 'id' | 'tty' | 'stdin' | 'oomScoreAdj' | 'runFolder' | 'signal'> & {
    readonly runtime: Runtime;
  },
): Promise<PreparedProcess> {
  await using scope = new Scope();
  const bundle = mkdtempSync(join(options.runFolder, 'b-'));
  scope.defer(() => rmSync(bundle, { recursive: true }));
  const streams = scope.use(openStreams(bundle, options));
  const { id, runtime, oomScoreAdj } = options;
  const { stdio, consoleSocket } = streams;
  const exec = scope.use(await runtime.prepareExec({ id, bundle, stdio, consoleSocket, oomScoreAdj }));
  const owned = scope.move();
  return {
    get hasEnded() {
      return exec.hasEnded;
    },
    start: async (document, program) => streams.take(await exec.start(document, program)),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
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

async function startKept(
  options: ProcessStart,
  { keeper, key, note }: NonNullable<ProcessStart['kept']>,
  bundle: string,
): Promise<StartedProcess> {
  const { start, id, program, tty, stdin, oomScoreAdj, signal } = options;
  const consoleSocket = tty ? join(bundle, 'console') : undefined;
  let process: HeldProcess | undefined;
  const stdio = async (call: RuntimeCall) => {
    const started = await keeper.start({ key, note, call, input: stdin, consoleSocket });
    process = started.process;
    return started.exitCode;
  };
  await start({ id, program, bundle, stdio, consoleSocket, oomScoreAdj, signal });
  if (!process) throw new Failure('internal', 'KEEPER_SILENT', 'the keeper started nothing');
  return heldProcess(process);
}

async function startHere({ start, id, program, tty, stdin, signal }: ProcessStart, bundle: string) {
  using streams = openStreams(bundle, { tty, stdin, signal });
  const { stdio, consoleSocket } = streams;
  const pid = await start({ id, program, bundle, stdio, consoleSocket, signal });
  return await streams.take(pid); // what the terminal is awaited with must not be gone before
}
