import { Failure } from '../../lib/error.ts';
import type { Answer, EngineClient } from '../client/engine-client.ts';
import type { Session } from '../session.ts';
import { startPump } from '../terminal/pump.ts';
import { followTerminalSize } from '../terminal/resize.ts';
import { proxySignals } from '../terminal/signal-proxy.ts';

export interface AttachOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
  /** Which end to wait for: the exit, or for `--rm` the removal after it. */
  readonly until: 'next-exit' | 'removed';
}

/**
 * Attaches to a container, calls `start` when everything listens, and stays until its output ends. Returns the
 * container's exit code, or 0 when the person detached.
 */
export async function runAttached(
  session: Session,
  client: EngineClient,
  container: string,
  options: AttachOptions,
  start: () => Promise<void>,
): Promise<number> {
  const { signal } = session;
  session.takeSignals();
  using _signals = options.sigProxy ? proxySignals(client, container) : undefined;
  const attaching = client.hijack(`/containers/${container}/attach`, {
    query: {
      stream: true,
      stdin: options.stdin || undefined,
      stdout: options.stdout || undefined,
      stderr: options.stderr || undefined,
      detachKeys: options.detachKeys || undefined,
    },
    signal,
  });
  const [connection, waiting] = await Promise.all([attaching, waitForEnd(client, container, options.until, signal)]);
  const starting = start();
  starting.catch(() => {}); // it is awaited when what its output needs is ready too
  await using pump = startPump(session, connection, options);
  await starting;
  using _size =
    options.tty && session.stdout.isTTY === true
      ? followTerminalSize(session, client, `/containers/${container}`)
      : undefined;
  if ((await pump.ended) === 'detached') {
    waiting.close();
    return 0;
  }
  return await exitCodeOf(waiting);
}

/** Asks for a container's end; resolves when the host has begun to wait. */
export function waitForEnd(
  client: EngineClient,
  container: string,
  condition: AttachOptions['until'],
  signal: AbortSignal,
): Promise<Answer> {
  return client.request('POST', `/containers/${container}/wait`, { query: { condition }, signal });
}

/** The exit code that a wait answers in the end. */
export async function exitCodeOf(waiting: Answer): Promise<number> {
  let text = '';
  for await (const chunk of waiting.body) text += chunk;
  const answer: { StatusCode: number; Error?: { Message?: string } | null } = JSON.parse(text);
  if (answer.Error?.Message)
    throw new Failure('internal', 'WAIT', `error waiting for container: ${answer.Error.Message}`, { exitCode: 125 });
  return answer.StatusCode;
}
