import { spawn } from 'node:child_process';
import { closeSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Failure, systemCode } from '../../lib/error.ts';
import { openDescriptorOf } from '../pidfd.ts';
import { type ExitStatus, waitForExit } from '../reaper.ts';
import {
  type KeeperMessage,
  type KeeperRequest,
  type KeptDescriptors,
  type KeptProcess,
  type KeptStart,
  PROTOCOL,
  receiveMessages,
  sendMessage,
} from './messages.ts';

/** A process that a keeper keeps. */
export interface HeldProcess {
  readonly key: string;
  /** What the host that started it has written on it. */
  readonly note: unknown;
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  /** True when it had ended before this host came. */
  readonly hasEnded: boolean;
  /** Its streams, as descriptors of this process; the caller's. */
  openStreams(): KeptDescriptors;
  /** Nobody but the caller holds its input open any more. */
  endInput(): void;
  /** The keeper forgets it and closes its streams. */
  forget(): void;
}

const PATIENCE_MS = 20_000;
const RETRY_MS = 5;

/** The keeper of a host, if it has one: found, or started when it is needed first, and again when it was killed. */
export class Keepers implements AsyncDisposable {
  readonly #path: string;
  readonly #script: URL | undefined;
  #keeper: Promise<Keeper | undefined>;

  private constructor(path: string, script: URL | undefined, found: Keeper | undefined) {
    this.#path = path;
    this.#script = script;
    this.#keeper = Promise.resolve(found);
    this.found = found?.found ?? [];
  }

  /** Processes that the host before has left, running or ended since. */
  readonly found: readonly HeldProcess[];

  /** `path` is the place of its socket. Without `script`, its program, none is started. */
  static async open(path: string, script: URL | undefined): Promise<Keepers> {
    return new Keepers(path, script, await findKeeper(path));
  }

  /** Whether containers are to survive this host. */
  get isWanted(): boolean {
    return this.#script !== undefined;
  }

  /** The keeper of what is started now; undefined when nothing is to survive this host. */
  ready(options: { readonly signal: AbortSignal }): Promise<Keeper | undefined> {
    const script = this.#script;
    if (script === undefined) return Promise.resolve(undefined);
    this.#keeper = this.#keeper
      .catch(() => undefined)
      .then((keeper) => (keeper?.isAlive ? keeper : startKeeper(this.#path, script, options)));
    return this.#keeper;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = await this.#keeper.catch(() => undefined);
    await keeper?.[Symbol.asyncDispose]();
  }
}

/** Connects to the keeper at `path` that an earlier host has left; undefined when there is none. */
async function findKeeper(path: string): Promise<Keeper | undefined> {
  const socket = await connect(path);
  if (socket) {
    const keeper = await Keeper.greet(socket);
    if (keeper) return keeper;
  }
  rmSync(path, { force: true });
  return undefined;
}

/** Starts a keeper, the program `script`, at `path`. It outlives this process as long as it keeps something. */
async function startKeeper(path: string, script: URL, options: { readonly signal: AbortSignal }): Promise<Keeper> {
  const child = spawn(process.execPath, [fileURLToPath(script), path], { cwd: '/', detached: true, stdio: 'ignore' });
  child.unref();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  child.once('error', reject);
  child.once('exit', (code) => reject(new Failure('internal', 'KEEPER_ENDED', `the keeper ended with code ${code}`)));
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const socket = await connect(path);
    const keeper = socket && (await Keeper.greet(socket));
    if (keeper) return keeper;
    await Promise.race([sleep(RETRY_MS, undefined, options), failed]);
  }
  throw new Failure('internal', 'KEEPER_SILENT', `the keeper does not answer at ${path}`);
}

/**
 * The way to a keeper (keeper.ts): a process that has the containers as its children and their streams open, so that they
 * survive this one. Disposing leaves it; it ends when it keeps nothing.
 */
export class Keeper implements AsyncDisposable {
  readonly #socket: Socket;
  #pid = 0;
  readonly #found: HeldProcess[] = [];
  readonly #greeted = Promise.withResolvers<boolean>();
  readonly #starts = new Map<string, PromiseWithResolvers<{ exitCode: number; kept?: KeptProcess }>>();
  readonly #exits = new Map<string, PromiseWithResolvers<ExitStatus>>();
  readonly #closed: Promise<void>;
  #leaving = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = this.#listen();
  }

  /** Undefined when the keeper was about to end. */
  static async greet(socket: Socket): Promise<Keeper | undefined> {
    const keeper = new Keeper(socket);
    keeper.#send({ type: 'list' });
    return (await keeper.#greeted.promise) ? keeper : undefined;
  }

  /** What it kept when this host came. */
  get found(): readonly HeldProcess[] {
    return this.#found;
  }

  /** False when the keeper was killed: what it kept goes on, and how that ends will not be known. */
  get isAlive(): boolean {
    return this.#socket.writable;
  }

  /** Lets the keeper start a process. `process` is undefined when the runtime could not; its log says why. */
  async start(request: KeptStart): Promise<{ exitCode: number; process: HeldProcess | undefined }> {
    const answer = Promise.withResolvers<{ exitCode: number; kept?: KeptProcess }>();
    this.#starts.set(request.key, answer);
    if (!this.isAlive) throw lost();
    this.#send({ type: 'start', start: request });
    const { exitCode, kept } = await answer.promise;
    return { exitCode, process: kept && this.#held(kept) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving = true;
    this.#send({ type: 'leave' });
    await this.#closed;
  }

  async #listen(): Promise<void> {
    try {
      for await (const message of receiveMessages<KeeperMessage>(this.#socket)) this.#take(message);
    } catch {
      // it was killed
    }
    this.#socket.destroy();
    this.#greeted.resolve(false);
    if (this.#leaving) return; // nobody here is to hear of ends any more
    for (const { reject } of [...this.#starts.values(), ...this.#exits.values()]) reject(lost());
  }

  #take(message: KeeperMessage): void {
    switch (message.type) {
      case 'list':
        if (message.protocol === PROTOCOL) {
          this.#pid = message.pid;
          for (const kept of message.kept) this.#found.push(this.#held(kept));
          this.#greeted.resolve(true);
        } else this.#greeted.reject(foreign(message.protocol));
        break;
      case 'started':
        // Before the answer is taken up: the end may be told in the next message.
        if (message.kept) this.#exitOf(message.key);
        this.#starts.get(message.key)?.resolve(message);
        break;
      case 'failed': {
        const error: NodeJS.ErrnoException = new Error(message.message);
        if (message.code) error.code = message.code;
        this.#starts.get(message.key)?.reject(error);
        break;
      }
      case 'ended':
        this.#exitOf(message.key).resolve(message.exit);
    }
  }

  #held({ key, note, pid, descriptors, exit }: KeptProcess): HeldProcess {
    if (exit) this.#exitOf(key).resolve(exit);
    // Without the keeper only the moment of its end can be learnt.
    const exited = this.#exitOf(key).promise.catch(() => waitForExit(pid));
    exited.catch(() => {});
    return {
      key,
      note,
      pid,
      exited,
      hasEnded: exit !== undefined,
      openStreams: () => openAll(this.#pid, descriptors),
      endInput: () => this.#send({ type: 'end-input', key }),
      forget: () => {
        this.#exits.delete(key);
        this.#starts.delete(key);
        this.#send({ type: 'forget', key });
      },
    };
  }

  #exitOf(key: string): PromiseWithResolvers<ExitStatus> {
    const known = this.#exits.get(key);
    if (known) return known;
    const exit = Promise.withResolvers<ExitStatus>();
    exit.promise.catch(() => {});
    this.#exits.set(key, exit);
    return exit;
  }

  #send(request: KeeperRequest): void {
    sendMessage(this.#socket, request);
  }
}

/** Undefined when nobody listens. */
async function connect(path: string): Promise<Socket | undefined> {
  const socket = createConnection(path);
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.on('error', () => {}); // its end is told by what is read
    return socket;
  } catch (error) {
    socket.destroy();
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

function openAll(pid: number, descriptors: KeptDescriptors): KeptDescriptors {
  const opened: [string, number][] = [];
  try {
    for (const [name, fd] of Object.entries(descriptors)) opened.push([name, openDescriptorOf(pid, fd)]);
  } catch (error) {
    for (const [, fd] of opened) closeSync(fd);
    throw error;
  }
  return Object.fromEntries(opened) as unknown as KeptDescriptors; // the same names
}

function lost(): Failure {
  return new Failure('unavailable', 'KEEPER_LOST', 'the keeper of the containers was killed');
}

function foreign(protocol: number): Failure {
  return new Failure(
    'conflict',
    'KEEPER_VERSION',
    `running containers are kept in form ${protocol}, this host knows ${PROTOCOL}`,
    {
      hint: 'stop them with the version of strake that started them',
    },
  );
}
