import type { Duplex } from 'node:stream';
import { readFrames } from '../client/frames.ts';
import type { RawConnection } from '../client/http-exchange.ts';
import { type Session, writeAll } from '../session.ts';
import { DEFAULT_DETACH_KEYS, DetachScanner, parseDetachKeys } from './detach-keys.ts';
import { enterRawMode } from './raw-mode.ts';

export interface PumpOptions {
  /** Whether the process has a terminal: plain bytes, raw mode here, detach keys. */
  readonly tty: boolean;
  /** Whether stdin goes to the process. */
  readonly stdin: boolean;
  /** Empty means the default keys. */
  readonly detachKeys: string;
}

/** The streams of a process in a container, joined with this command's own. Disposing restores the terminal. */
export interface Pump extends AsyncDisposable {
  /** Settles when the process's output ends, or when the person detached. */
  readonly ended: Promise<'ended' | 'detached'>;
}

/**
 * Joins the session's streams with a hijacked connection: output until the host ends it; input until it ends here,
 * which closes only that direction.
 */
export function startPump(session: Session, connection: RawConnection, options: PumpOptions): Pump {
  const { socket, head } = connection;
  const keys = parseDetachKeys(options.detachKeys === '' ? DEFAULT_DETACH_KEYS : options.detachKeys);
  const output = copyOutput(session, withHead(socket, head), options.tty);
  const detached = Promise.withResolvers<'detached'>();
  const scanner = options.tty ? new DetachScanner(keys) : undefined;
  const release = options.stdin ? copyInput(session, socket, scanner, () => detached.resolve('detached')) : () => {};
  const raw = options.tty && options.stdin && session.stdin.isTTY === true ? enterRawMode(session.stdin) : undefined;
  return {
    ended: Promise.race([output.then(() => 'ended' as const), detached.promise]),
    async [Symbol.asyncDispose]() {
      release();
      raw?.[Symbol.dispose]();
      socket.destroy();
      await output.catch(() => {}); // its failure was seen through `ended`; after a detach nobody asks
    },
  };
}

async function copyOutput(session: Session, source: AsyncIterable<Buffer>, tty: boolean): Promise<void> {
  if (tty) for await (const chunk of source) await writeAll(session.stdout, chunk);
  else for await (const { stream, payload } of readFrames(source)) await writeAll(session[stream], payload);
}

async function* withHead(socket: Duplex, head: Buffer): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  try {
    for await (const chunk of socket) yield chunk;
  } catch (error) {
    if (!socket.destroyed) throw error;
  }
}

function copyInput(
  session: Session,
  socket: Duplex,
  scanner: DetachScanner | undefined,
  onDetach: () => void,
): () => void {
  const { stdin } = session;
  const onData = (chunk: Buffer) => {
    const { pass, detached } = scanner?.feed(chunk) ?? { pass: chunk, detached: false };
    if (pass.length > 0 && socket.writable && !socket.write(pass)) {
      stdin.pause();
      socket.once('drain', () => stdin.resume());
    }
    if (detached) onDetach();
  };
  const onEnd = () => socket.end();
  const onGone = () => stdin.pause();
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  stdin.on('error', onEnd);
  socket.on('error', onGone);
  socket.on('close', onGone);
  return () => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.off('error', onEnd);
    stdin.pause();
  };
}
