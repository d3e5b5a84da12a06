import type { ServerResponse } from 'node:http';
import { isFailure } from '../lib/error.ts';
import type { ProgressLine } from '../wire/progress.ts';
import { errorBody } from './status.ts';
import { drained } from './stream.ts';

/** Writes JSON objects to an answer, each in one chunk of its own and at once. The head goes out with the first. */
export class JsonLines<T> {
  readonly #response: ServerResponse;
  readonly #ending: string;
  /** Shared by all who wait, while the client is behind. */
  #room: Promise<void> | undefined;

  constructor(response: ServerResponse, ending: '\r\n' | '\n' = '\r\n') {
    this.#response = response;
    this.#ending = ending;
    response.setHeader('Content-Type', 'application/json');
  }

  /** Sends the status and headers now, for answers whose first line may be long in coming. */
  open(): void {
    this.#response.flushHeaders();
  }

  /** Resolves when the client has room for more, or has gone. */
  write(value: T): Promise<void> {
    const response = this.#response;
    if (response.destroyed || response.write(JSON.stringify(value) + this.#ending)) return Promise.resolve();
    this.#room ??= drained(response).finally(() => {
      this.#room = undefined;
    });
    return this.#room;
  }

  end(): void {
    this.#response.end();
  }
}

/** The last line of a progress stream that fails after its first byte. */
export function errorLine(error: unknown): ProgressLine {
  const { code: _name, ...body } = errorBody(error);
  const code = isFailure(error) && error.exitCode !== undefined ? { code: error.exitCode } : {};
  return { errorDetail: { ...code, ...body }, error: body.message };
}
