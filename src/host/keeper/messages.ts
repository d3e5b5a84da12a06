import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { ExitStatus } from '../reaper.ts';
import type { RuntimeCall } from '../runtime-call.ts';

/** Changes with what follows: a host may meet the keeper of another version. */
export const PROTOCOL = 1;

/** A process to be started and kept. */
export interface KeptStart {
  readonly key: string;
  readonly call: RuntimeCall;
  /** Whether it has an input; else that is /dev/null. Of no meaning with a terminal. */
  readonly input: boolean;
  /** Where the runtime hands over the terminal, for a process that has one. */
  readonly consoleSocket: string | undefined;
  /** Of the host's own, for the host that takes it over. */
  readonly note?: unknown;
}

/** Numbers of the keeper's descriptors: our ends of pipes, or a terminal. */
export type KeptDescriptors =
  | { readonly stdin?: number; readonly stdout: number; readonly stderr: number }
  | { readonly terminal: number };

export interface KeptProcess {
  readonly key: string;
  readonly pid: number;
  readonly descriptors: KeptDescriptors;
  /** Undefined while it runs. */
  readonly exit: KeptExit | undefined;
  readonly note?: unknown;
}

export interface KeptExit extends ExitStatus {
  readonly at: number;
}

/** From the host; one JSON document a line. */
export type KeeperRequest =
  | { readonly type: 'list' }
  | { readonly type: 'start'; readonly start: KeptStart }
  | { readonly type: 'end-input'; readonly key: string }
  | { readonly type: 'forget'; readonly key: string }
  /** The host ends; the keeper too when it keeps nothing. */
  | { readonly type: 'leave' };

/** To the host. */
export type KeeperMessage =
  | { readonly type: 'list'; readonly protocol: number; readonly pid: number; readonly kept: readonly KeptProcess[] }
  /** `kept` is missing when the runtime could not start the process. */
  | { readonly type: 'started'; readonly key: string; readonly exitCode: number; readonly kept?: KeptProcess }
  /** The runtime itself could not be started. */
  | { readonly type: 'failed'; readonly key: string; readonly code: string; readonly message: string }
  | { readonly type: 'ended'; readonly key: string; readonly exit: KeptExit };

export function sendMessage(to: Duplex, message: KeeperRequest | KeeperMessage): void {
  if (to.writable) to.write(`${JSON.stringify(message)}\n`);
}

/** Messages until the other side closes. Both sides are ours, and only root reaches the socket. */
export async function* receiveMessages<Message extends KeeperRequest | KeeperMessage>(
  from: Duplex,
): AsyncGenerator<Message> {
  for await (const line of createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY }))
    yield JSON.parse(line) as Message; // written by sendMessage
}
