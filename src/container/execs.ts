import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { containerCapabilities } from '../host/capabilities.ts';
import type { HeldProcess } from '../host/keeper/keeper-client.ts';
import type { ExitStatus } from '../host/reaper.ts';
import { processSpec } from '../host/spec.ts';
import { cancelled, Failure, isFailure, messageOf } from '../lib/error.ts';
import type { ExecCreateBody, ExecInspect } from '../wire/exec.ts';
import type { AttachedStreams } from './attach.ts';
import type { Container } from './container.ts';
import { processOf } from './container-spec.ts';
import { orNotRunning } from './ended-meanwhile.ts';
import { type Exec, type ExecNote, type ExecSize, inspectExec } from './exec.ts';
import { ExecPreparations } from './exec-preparations.ts';
import type { LifecycleNeeds } from './lifecycle.ts';
import { linkEnvironment } from './links.ts';
import { OutputHub } from './output-hub.ts';
import type { StartedProcess } from './process-streams.ts';
import { heldProcess, prepareExec, startProcess } from './start-process.ts';
import { resolveUser } from './user.ts';

/** How long an ended exec can still be inspected. */
const KEPT_MS = 5 * 60_000;
const STREAM_GRACE_MS = 2000;
const UNKNOWN_EXIT: ExitStatus = { exitCode: 255, signal: undefined };

/** Further processes in running containers. They are forgotten with their container, or some minutes after their end. */
export class Execs implements AsyncDisposable {
  readonly #needs: LifecycleNeeds;
  readonly #execs = new Map<string, Exec>();
  readonly #preparations: ExecPreparations;

  constructor(needs: LifecycleNeeds) {
    this.#needs = needs;
    this.#preparations = new ExecPreparations(needs);
  }

  /** Notes what is to be run; returns the ID. Where its container survives this host, so does it. */
  create(container: Container, body: ExecCreateBody): string {
    const survives = this.#needs.keepers.isWanted && container.run?.launched.process.kept !== undefined;
    return this.#create(container, body, survives).id;
  }

  /**
   * Goes on with one that the host before has left. Nobody can attach to it any more: what it writes is read and thrown away, a
   * pipe that it reads has ended. Resolves at once, or for one that has ended when that is on record.
   */
  async adopt(container: Container, held: HeldProcess): Promise<void> {
    const { body } = held.note as ExecNote; // written by #start
    const exec = this.#add(held.key, container, body, true);
    const process = heldProcess(held);
    if (!exec.hub.tty) process.input?.on('error', () => {}).end();
    const settled = this.#follow(exec, process);
    if (held.hasEnded) await settled;
  }

  /** Starts it without streams. */
  async start(
    id: string,
    options: { readonly signal: AbortSignal; readonly size?: ExecSize | undefined },
  ): Promise<void> {
    const exec = this.#get(id);
    this.#begin(exec);
    await this.#run(exec, options);
  }

  /**
   * Starts it and connects a client, who is connected before there is any output. Why it cannot start is told on the stream
   * and by the exit code.
   */
  async attach(
    id: string,
    options: { readonly signal: AbortSignal; readonly size?: ExecSize | undefined },
  ): Promise<AttachedStreams> {
    const exec = this.#get(id);
    const { body, hub, input } = exec;
    this.#begin(exec);
    const output = hub.attach({ stdout: body.AttachStdout ?? false, stderr: body.AttachStderr ?? false });
    this.#run(exec, options).catch(async (error: unknown) => {
      await hub.write('stdout', Buffer.from(`${messageOf(error)}\r\n`));
      hub.end();
    });
    return { tty: hub.tty, output, input };
  }

  /** Runs a command to its end; its exit code and the beginning of its output. Kills it when `signal` aborts. */
  async runToEnd(
    container: Container,
    body: ExecCreateBody,
    options: { readonly signal: AbortSignal; readonly outputLimit: number },
  ): Promise<{ exitCode: number; output: string }> {
    const exec = this.#create(container, { ...body, AttachStdout: true, AttachStderr: true }, false);
    const kept: Buffer[] = [];
    let size = 0;
    exec.hub.addSink((_, chunk) => {
      if (size < options.outputLimit) kept.push(chunk.subarray(0, options.outputLimit - size));
      size += chunk.length;
      return undefined;
    });
    const kill = () => {
      if (exec.phase.status === 'running') process.kill(exec.phase.process.pid, 'SIGKILL');
    };
    try {
      this.#begin(exec);
      await this.#run(exec, { signal: AbortSignal.timeout(30_000) });
      options.signal.addEventListener('abort', kill, { once: true });
      if (options.signal.aborted) kill();
      return { exitCode: await exec.ended.promise, output: Buffer.concat(kept).toString('utf8') };
    } catch (error) {
      if (!isFailure(error) || error.exitCode === undefined) throw error;
      return { exitCode: error.exitCode, output: error.message };
    } finally {
      options.signal.removeEventListener('abort', kill);
      this.#execs.delete(exec.id);
    }
  }

  inspect(id: string): ExecInspect {
    return inspectExec(this.#get(id));
  }

  resize(id: string, size: ExecSize): void {
    const exec = this.#get(id);
    const { phase } = exec;
    if (phase.status === 'starting') exec.size = size;
    else if (phase.status === 'running') phase.process.resize(size.height, size.width);
    else throw new Failure('conflict', 'EXEC_NOT_RUNNING', `exec process ${id} is not running`);
  }

  /** IDs of those that run in the container. */
  runningIn(container: Container): string[] {
    return [...this.#execs.values()].flatMap((exec) =>
      exec.container === container && exec.phase.status === 'running' ? exec.id : [],
    );
  }

  /** Forgets the execs of a container that is removed. */
  forget(container: Container): void {
    for (const exec of this.#execs.values())
      if (exec.container === container) {
        this.#execs.delete(exec.id);
        void this.#preparations.discard(exec.id);
      }
  }

  /** Nothing is started any more. What survives is left to the next host, without its clients. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#preparations[Symbol.asyncDispose]();
    const left = [...this.#execs.values()].map(async ({ phase, hub, input }) => {
      if (phase.status !== 'running' || !phase.process.kept) return;
      phase.process.kept.stopReading();
      hub.release();
      await phase.carried;
      hub.end();
      input?.destroy();
      phase.process.input?.destroy();
    });
    await Promise.all(left);
  }

  #create(container: Container, body: ExecCreateBody, survives: boolean): Exec {
    const { phase } = container.record;
    if (phase.status === 'restarting')
      throw new Failure(
        'conflict',
        'CONTAINER_RESTARTING',
        `Container ${container.id} is restarting, wait until the container is running`,
      );
    container.running();
    if (phase.status === 'paused')
      throw new Failure(
        'conflict',
        'CONTAINER_PAUSED',
        `Container ${container.name} is paused, unpause the container before exec`,
      );
    if (!body.Cmd || body.Cmd.length === 0) throw new Failure('invalid', 'NO_COMMAND', 'No exec command specified');
    this.#forgetOld();
    this.#needs.runtime.expectStart();
    const exec = this.#add(randomBytes(32).toString('hex'), container, body, survives);
    if (!survives) this.#preparations.begin(exec.id, container, streamsOf(body));
    this.#needs.emit(container, `exec_create: ${commandOf(body.Cmd)}`, { execID: exec.id });
    return exec;
  }

  #begin(exec: Exec): void {
    if (exec.phase.status !== 'created')
      throw new Failure('conflict', 'EXEC_STARTED', `exec ${exec.id} has been started already`);
    exec.container.running();
    exec.phase = { status: 'starting' };
  }

  async #run(
    exec: Exec,
    options: { readonly signal: AbortSignal; readonly size?: ExecSize | undefined },
  ): Promise<void> {
    const { id, container, body, input } = exec;
    const run = container.running();
    this.#needs.emit(container, `exec_start: ${commandOf(body.Cmd ?? [])}`, { execID: id });
    try {
      refuseRelative(body.WorkingDir ?? '');
      const process = await this.#start(exec, options.signal);
      const size = exec.size ?? options.size ?? sizeOf(body.ConsoleSize);
      if (size) process.resize(size.height, size.width);
      if (input && process.input) {
        process.input.on('error', () => {}); // it closed its input
        input.on('error', () => {}).pipe(process.input, { end: !body.Tty });
      }
      void this.#follow(exec, process);
    } catch (error) {
      void this.#preparations.discard(id);
      const exitCode = (isFailure(error) ? error.exitCode : undefined) ?? 126;
      exec.phase = { status: 'exited', exitCode, at: Date.now() };
      input?.destroy();
      throw await orNotRunning(container, run, error);
    }
  }

  async #start(exec: Exec, signal: AbortSignal): Promise<StartedProcess> {
    const { id, container, body } = exec;
    const { runtime, runFolder, keepers } = this.#needs;
    const program = body.Cmd?.[0] ?? '';
    const document = this.#processOf(exec);
    const oomScoreAdj = container.record.hostConfig.OomScoreAdj ?? 0;
    const options = { id: container.id, ...streamsOf(body), oomScoreAdj, runFolder, signal };
    const keeper = exec.survives ? await keepers.ready({ signal }) : undefined;
    if (keeper) {
      const { Env: _, ...noted } = body; // may hold secrets, and is of no use any more
      const note: ExecNote = { container: container.id, body: noted };
      return startProcess({
        ...options,
        start: (start) => runtime.exec(start),
        program,
        document: { name: 'process.json', content: document },
        kept: { keeper, key: id, note },
      });
    }
    if (signal.aborted) throw cancelled(signal);
    const ready = await this.#preparations.take(id);
    await using prepared = ready ?? (await prepareExec({ ...options, runtime }));
    return await prepared.start(document, program);
  }

  /** Resolves when it has ended and that is on record. */
  async #follow(exec: Exec, process: StartedProcess): Promise<void> {
    const carried = exec.hub.carry(process.outputs);
    exec.phase = { status: 'running', process, carried };
    try {
      await this.#settle(exec, process, carried);
    } catch (error) {
      this.#needs.log.error('cannot follow an exec to its end', { exec: exec.id, why: messageOf(error) });
    }
  }

  async #settle(exec: Exec, process: StartedProcess, carried: Promise<void>): Promise<void> {
    const { exitCode, at = Date.now() } = await process.exited.catch((): ExitStatus => UNKNOWN_EXIT);
    exec.hub.release();
    // Children that it left in the background may keep its output open.
    const timer = setTimeout(() => {
      for (const { source } of process.outputs) source.destroy();
    }, STREAM_GRACE_MS);
    await carried;
    clearTimeout(timer);
    process.input?.destroy();
    process.kept?.forget();
    exec.input?.destroy();
    exec.phase = { status: 'exited', exitCode, at };
    exec.hub.end();
    exec.ended.resolve(exitCode);
    this.#needs.emit(exec.container, 'exec_die', { execID: exec.id, exitCode: String(exitCode) });
  }

  #add(id: string, container: Container, body: ExecCreateBody, survives: boolean): Exec {
    const ended = Promise.withResolvers<number>();
    ended.promise.catch(() => {});
    const exec: Exec = {
      id,
      container,
      body,
      hub: new OutputHub(body.Tty ?? false),
      input: body.AttachStdin ? new PassThrough() : undefined,
      ended,
      survives,
      phase: { status: 'created' },
      size: undefined,
    };
    this.#execs.set(id, exec);
    return exec;
  }

  #processOf({ container, body }: Exec): Record<string, unknown> {
    const { config, hostConfig } = container.record;
    const user = resolveUser(container.snapshot.merged, body.User || config.User || '', hostConfig.GroupAdd ?? []);
    const capabilities = containerCapabilities({
      privileged: body.Privileged || hostConfig.Privileged || false,
      add: hostConfig.CapAdd ?? [],
      drop: hostConfig.CapDrop ?? [],
    });
    const options = processOf(container, {
      args: body.Cmd ?? [],
      linkEnv: linkEnvironment(container.name, container.running().attachment, this.#needs.find),
      env: [...(config.Env ?? []), ...(body.Env ?? [])],
      cwd: body.WorkingDir || config.WorkingDir || '',
      user,
      tty: body.Tty ?? false,
    });
    return processSpec({ ...options, capabilities });
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec) return exec;
    throw new Failure('not-found', 'EXEC_NOT_FOUND', `No such exec instance: ${id}`);
  }

  #forgetOld(): void {
    const limit = Date.now() - KEPT_MS;
    for (const { id, phase } of this.#execs.values())
      if (phase.status === 'exited' && phase.at < limit) this.#execs.delete(id);
  }
}

/** As runc says it. */
function refuseRelative(folder: string): void {
  if (folder === '' || folder.startsWith('/')) return;
  const message = 'OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown';
  throw new Failure('invalid', 'FOLDER_RELATIVE', message, { exitCode: 126 });
}

function streamsOf({ Tty, AttachStdin }: ExecCreateBody) {
  return { tty: Tty ?? false, stdin: AttachStdin ?? false };
}

/** As Docker's events have it: a space behind a command without arguments. */
function commandOf([program = '', ...args]: readonly string[]): string {
  return `${program} ${args.join(' ')}`;
}

/** ConsoleSize is height, then width; zeros mean unset. */
function sizeOf(size: readonly [number, number] | undefined): ExecSize | undefined {
  return size && size[0] > 0 && size[1] > 0 ? { height: size[0], width: size[1] } : undefined;
}
