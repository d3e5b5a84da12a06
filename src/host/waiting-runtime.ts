import type { Writable } from 'node:stream';
import { inputPipe } from './pipes.ts';
import { type ExitStatus, holdOrphans, waitForExit } from './reaper.ts';
import { type RuntimeCall, spawnRuntime } from './runtime-call.ts';
import type { ProgramStdio } from './spawn-program.ts';

/** Where a runtime that is started so finds its document. A pipe and not a file: it ends with this process. */
export const WAITING_DOCUMENT = '/proc/self/fd/3';

/**
 * A runtime that was started before anybody knows what it is to start: it loads itself and what it knows of the container, and
 * then waits for the document, in a pipe. Without one, because this was disposed or this process is gone, it has done nothing
 * and goes away.
 */
export class WaitingRuntime implements AsyncDisposable {
  readonly #document: Writable;
  readonly #exited: Promise<ExitStatus>;
  #hasEnded = false;

  /** `call` names `WAITING_DOCUMENT` as its document. Throws ENOENT when the runtime is gone. */
  constructor(call: RuntimeCall, stdio: ProgramStdio) {
    using pipe = inputPipe();
    this.#document = pipe.stream.on('error', () => {}); // it has ended, and its log says why
    try {
      this.#exited = waitForExit(spawnRuntime(call, [...stdio, pipe.fd]));
    } catch (error) {
      pipe.stream.destroy();
      throw error;
    }
    const ended = () => {
      this.#hasEnded = true;
    };
    this.#exited.then(ended, ended);
  }

  /** True when it will not take a document: it could not wait, or has had one. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Gives it the document; its exit code when it has started the process. */
  async finish(document: string): Promise<number> {
    using _orphans = holdOrphans();
    this.#document.end(document);
    return (await this.#exited).exitCode;
  }

  /** Resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#document.destroy();
    await this.#exited.catch(() => {});
  }
}
