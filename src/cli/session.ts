import type { EngineClient } from './client/engine-client.ts';
import type { HostChoice } from './client/host-choice.ts';

/** Where a command writes. */
export interface Output {
  write(chunk: string | Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** What a command has around it: streams, environment, the host. One per process; tests make their own. */
export interface Session {
  /** Opened when first asked for. */
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly choice: HostChoice;
  /** Script of the host, for those who start it. */
  readonly hostScript: URL;
  /** Aborted by SIGINT, SIGTERM and SIGHUP, unless a command took the signals over. */
  readonly signal: AbortSignal;
  /** Connects at the first call; starts the host when it must and may. */
  client(): Promise<EngineClient>;
  /** From now on signals belong to the caller: `signal` will not be aborted by them. */
  takeSignals(): void;
}

/** Writes and waits while the reader is slow. */
export async function writeAll(output: Output, chunk: string | Uint8Array): Promise<void> {
  if (!output.write(chunk)) await new Promise<void>((resolve) => output.once('drain', resolve));
}
