import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, Failure, systemCode } from '../lib/error.ts';
import { runProgram } from '../lib/run-program.ts';
import { type Cgroups, removeCgroup } from './cgroup.ts';
import { CgroupMoves } from './cgroup-moves.ts';
import { holdOrphans, waitForExit } from './reaper.ts';
import { readRuntimeLog, startFailure } from './runtime-log.ts';
import { executableOf, type RuntimeProgram, startRuntime } from './runtime-program.ts';
import { type ProgramStdio, spawnProgram } from './spawn-program.ts';
import { type Resources, resourceSpec } from './spec.ts';

export interface StartOptions {
  readonly id: string;
  /** What is to be executed, for messages. */
  readonly program: string;
  /** Folder that holds config.json (of a container) or process.json (of an exec). Scratch files go there. */
  readonly bundle: string;
  /** Given to the process as they are; or who starts the runtime instead of this process, with a stdio of its own. */
  readonly stdio: ProgramStdio | ((call: RuntimeCall) => Promise<number>);
  /** For a process with a terminal: where the runtime sends it (console-socket.ts). */
  readonly consoleSocket?: string;
  readonly signal: AbortSignal;
}

/** A run of the runtime that starts a process and leaves its ID in a file. */
export interface RuntimeCall {
  readonly program: Omit<RuntimeProgram, 'version'>;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly pidFile: string;
}

/**
 * Runs the runtime to its end and gives its exit code. Hold orphans meanwhile (reaper.ts). Not stopped by an abort: a
 * container that is half made is the runtime's to undo, and it is soon done.
 */
export async function callRuntime({ program, args, env }: RuntimeCall, stdio: ProgramStdio): Promise<number> {
  const pid = startRuntime(program, () => spawnProgram(executableOf(program), [program.path, ...args], env, stdio));
  return (await waitForExit(pid)).exitCode;
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
    const pidFile = join(options.bundle, 'pid');
    const log = join(options.bundle, 'runtime.log');
    const console = options.consoleSocket === undefined ? [] : ['--console-socket', options.consoleSocket];
    const args = [...this.#global(log), ...command, '--pid-file', pidFile, ...console, options.id];
    const program = await this.program();
    using _orphans = holdOrphans();
    // Not the host's whole environment: parts of it (NOTIFY_SOCKET, LISTEN_FDS) would go on to the container.
    const env = [`PATH=${process.env['PATH'] ?? ''}`];
    const code = await this.#call({ program, args, env, pidFile }, options.stdio);
    const messages = readRuntimeLog(log);
    rmSync(log, { force: true });
    if (code !== 0)
      throw startFailure({ runtime: program.name, what, program: options.program, messages, exitCode: code });
    const pid = Number(readFileSync(pidFile, 'utf8'));
    rmSync(pidFile);
    return pid;
  }

  async #call(call: RuntimeCall, stdio: StartOptions['stdio']): Promise<number> {
    try {
      return await (typeof stdio === 'function' ? stdio(call) : callRuntime(call, stdio));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.#found = undefined;
      throw new Failure('unavailable', 'RUNTIME_MISSING', `the OCI runtime ${call.program.path} is gone`, {
        hint: 'install it: apt-get install runc',
      });
    }
  }

  async #command(args: readonly string[], signal: AbortSignal): Promise<void> {
    const all = ['--root', this.#stateRoot, ...args];
    const program = await this.program();
    const result = await startRuntime(program, () => runProgram(program.path, all, { signal }));
    if (result.exitCode === 0) return;
    const text = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new Failure('internal', 'RUNTIME_FAILED', `${program.name} ${args[0]} failed: ${text}`);
  }

  #global(log: string): string[] {
    return ['--root', this.#stateRoot, '--log', log, '--log-format', 'json'];
  }
}
