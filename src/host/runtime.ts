import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, Failure, systemCode } from '../lib/error.ts';
import { runProgram } from '../lib/run-program.ts';
import { type Cgroups, removeCgroup } from './cgroup.ts';
import { CgroupMoves } from './cgroup-moves.ts';
import { holdOrphans } from './reaper.ts';
import { callRuntime, type RuntimeCall } from './runtime-call.ts';
import { readRuntimeLog, startFailure } from './runtime-log.ts';
import { type RuntimeProgram, startRuntime } from './runtime-program.ts';
import type { ProgramStdio } from './spawn-program.ts';
import { type Resources, resourceSpec } from './spec.ts';
import { WAITING_DOCUMENT, WaitingRuntime } from './waiting-runtime.ts';

interface Start {
  readonly id: string;
  /** Folder that holds config.json (of a container) or process.json (of an exec). Scratch files go there. */
  readonly bundle: string;
  /** For a process with a terminal: where the runtime sends it (console-socket.ts). */
  readonly consoleSocket?: string | undefined;
  /** For an exec, whose document's value crun does not heed: what it starts has this from the runtime itself. */
  readonly oomScoreAdj?: number | undefined;
}

export interface StartOptions extends Start {
  /** What is to be executed, for messages. */
  readonly program: string;
  /** Given to the process as they are; or who starts the runtime instead of this process, with a stdio of its own. */
  readonly stdio: ProgramStdio | ((call: RuntimeCall) => Promise<number>);
  readonly signal: AbortSignal;
}

export interface PrepareOptions extends Start {
  readonly stdio: ProgramStdio;
}

/** An exec for which the runtime has been started already, and waits for its document. */
export interface PreparedExec extends AsyncDisposable {
  /** True when the runtime has ended without being asked: start another one. */
  readonly hasEnded: boolean;
  /** As `exec`: the document is what its process.json would hold, `program` is named in messages. Call it once. */
  start(document: unknown, program: string): Promise<number>;
}

/**
 * Containers as an OCI runtime (runc or crun) runs them: detached, without a supervisor. The host must be a reaper
 * (reaper.ts) and waits for the process IDs that `run` and `exec` return.
 */
export class Runtime {
  readonly #find: () => Promise<RuntimeProgram>;
  #found: RuntimeProgram | undefined;
  readonly #stateRoot: string;
  readonly #cgroups: Cgroups;
  readonly #moves: CgroupMoves;

  /**
   * `find` is asked until it finds one, so that a host without a runtime works but for containers, and needs no restart
   * when one is installed. `stateRoot` is the runtime's own folder, on a file system that is empty after a boot.
   */
  constructor(find: () => Promise<RuntimeProgram>, stateRoot: string, cgroups: Cgroups) {
    this.#find = find;
    this.#stateRoot = stateRoot;
    this.#cgroups = cgroups;
    this.#moves = new CgroupMoves(cgroups);
    mkdirSync(stateRoot, { recursive: true, mode: 0o711 });
  }

  async program(): Promise<RuntimeProgram> {
    this.#found ??= await this.#find();
    return this.#found;
  }

  /** Says that `run` or `exec` will be called within a moment, perhaps; the kernel is made ready for it meanwhile. */
  expectStart(): void {
    this.#moves.expect();
  }

  /**
   * Creates and starts the container of a bundle; resolves with the process ID of its first process when that runs. A
   * program that cannot be started is a Failure with Docker's message and `exitCode` 126 or 127; nothing is left then.
   */
  run(options: StartOptions): Promise<number> {
    return this.#start('create', options, ['run', '--detach', '--bundle', options.bundle]);
  }

  /** Starts one more process in a running container; see `run`. */
  exec(options: StartOptions): Promise<number> {
    const document = join(options.bundle, 'process.json');
    return this.#start('exec', options, ['exec', '--detach', '--process', document]);
  }

  /**
   * Starts the runtime for one more process in a running container, before that process is to start or its document is known.
   * What it then finds is the container of this moment. Dispose it when it is not to start after all, or has.
   */
  async prepareExec(options: PrepareOptions): Promise<PreparedExec> {
    const program = await this.program();
    const call = this.#callOf(program, options, ['exec', '--detach', '--process', WAITING_DOCUMENT]);
    let waiting: WaitingRuntime;
    try {
      waiting = new WaitingRuntime(call, options.stdio);
    } catch (error) {
      throw this.#explained(error, program);
    }
    return {
      get hasEnded() {
        return waiting.hasEnded;
      },
      start: async (document, name) => {
        const exitCode = await waiting.finish(JSON.stringify(document));
        return started('exec', program, { bundle: options.bundle, program: name }, exitCode);
      },
      [Symbol.asyncDispose]: () => waiting[Symbol.asyncDispose](),
    };
  }

  /**
   * Forgets a container whose first process has ended and was reaped. Where a container shares the host's processes,
   * what it left running is killed first.
   */
  async remove(id: string, cgroupsPath: string, options: { readonly signal: AbortSignal }): Promise<void> {
    // What `delete` of the runtime does, less the start of a program. With processes left it is the runtime's task.
    if (!(await removeCgroup(this.#cgroups, cgroupsPath))) {
      await this.forceRemove(id, options);
      await removeCgroup(this.#cgroups, cgroupsPath);
    }
    rmSync(join(this.#stateRoot, id), { recursive: true, force: true });
  }

  /** Kills and forgets a container in whatever state it is. */
  async forceRemove(id: string, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#command(['delete', '--force', id], options.signal);
  }

  async pause(id: string, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#command(['pause', id], options.signal);
  }

  async resume(id: string, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#command(['resume', id], options.signal);
  }

  /** Changes the limits of a running container; missing values stay as they are. */
  async update(id: string, resources: Resources, options: { readonly signal: AbortSignal }): Promise<void> {
    const document = `${this.#stateRoot}-update-${id}.json`; // crun cannot read it from a pipe of Node's
    try {
      writeFileSync(document, JSON.stringify(resourceSpec(resources)));
      await this.#command(['update', '--resources', document, id], options.signal);
    } finally {
      rmSync(document, { force: true });
    }
  }

  /** IDs of the containers that the runtime knows. */
  list(): string[] {
    return readdirSync(this.#stateRoot);
  }

  async #start(what: 'create' | 'exec', options: StartOptions, command: readonly string[]): Promise<number> {
    if (options.signal.aborted) throw cancelled(options.signal);
    const program = await this.program();
    const call = this.#callOf(program, options, command);
    const { stdio } = options;
    using _orphans = holdOrphans();
    const exitCode = await (typeof stdio === 'function' ? stdio(call) : callRuntime(call, stdio)).catch((error) => {
      throw this.#explained(error, program);
    });
    return started(what, program, options, exitCode);
  }

  #callOf(
    program: RuntimeProgram,
    { id, bundle, consoleSocket, oomScoreAdj }: Start,
    command: readonly string[],
  ): RuntimeCall {
    const { pidFile, log } = filesOf(bundle);
    const console = consoleSocket === undefined ? [] : ['--console-socket', consoleSocket];
    const global = ['--root', this.#stateRoot, '--log', log, '--log-format', 'json'];
    const args = [...global, ...command, '--pid-file', pidFile, ...console, id];
    // Not the host's whole environment: parts of it (NOTIFY_SOCKET, LISTEN_FDS) would go on to the container.
    const env = [`PATH=${process.env['PATH'] ?? ''}`];
    return { program, args, env, pidFile, ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }) };
  }

  #explained(error: unknown, program: RuntimeProgram): unknown {
    if (systemCode(error) !== 'ENOENT') return error;
    this.#found = undefined;
    return new Failure('unavailable', 'RUNTIME_MISSING', `the OCI runtime ${program.path} is gone`, {
      hint: 'install it: apt-get install runc',
    });
  }

  async #command(args: readonly string[], signal: AbortSignal): Promise<void> {
    const all = ['--root', this.#stateRoot, ...args];
    const program = await this.program();
    const result = await startRuntime(program, () => runProgram(program.path, all, { signal }));
    if (result.exitCode === 0) return;
    const text = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new Failure('internal', 'RUNTIME_FAILED', `${program.name} ${args[0]} failed: ${text}`);
  }
}

/** What the runtime leaves in a bundle. */
function filesOf(bundle: string) {
  return { pidFile: join(bundle, 'pid'), log: join(bundle, 'runtime.log') };
}

/** The process ID that the runtime has left, or why there is none. */
function started(
  what: 'create' | 'exec',
  runtime: RuntimeProgram,
  { bundle, program }: Pick<StartOptions, 'bundle' | 'program'>,
  exitCode: number,
): number {
  const { pidFile, log } = filesOf(bundle);
  const messages = readRuntimeLog(log);
  rmSync(log, { force: true });
  if (exitCode !== 0) throw startFailure({ runtime: runtime.name, what, program, messages, exitCode });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  rmSync(pidFile);
  return pid;
}
