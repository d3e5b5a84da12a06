import type { Readable, Writable } from 'node:stream';
import type { AttachedStreams } from './backend/containers.ts';
import { DetachScanner } from './detach-keys.ts';
import type { Exchange } from './exchange.ts';
import { copy, drained } from './stream.ts';

/** Content type of a process's output. Newer clients learn from it whether the bytes are framed. */
export function outputType(version: number, tty: boolean): string {
  return version >= 42 && !tty ? 'application/vnd.docker.multiplexed-stream' : 'application/vnd.docker.raw-stream';
}

/** Both directions of a client's connection. */
export interface Connection {
  readonly from: Readable;
  readonly to: Writable;
  /** A process's output in the form in which it goes to the client. */
  readonly sent: (output: Readable) => Readable;
}

type OpenConnection = (exchange: Exchange, contentType: string, tty: boolean) => Connection;

const openRaw: OpenConnection = (exchange, contentType) => ({
  ...exchange.hijack(contentType),
  sent: (output) => output,
});

/**
 * Joins a client's connection to the streams of a process, in both directions with backpressure, until the output
 * ends, the client detaches (`detachKeys`, with a terminal only) or has gone. The end of what the client sends is the
 * end of the input alone: the output goes on.
 */
export async function joinStreams(
  exchange: Exchange,
  streams: AttachedStreams,
  detachKeys: Buffer,
  open: OpenConnection = openRaw,
): Promise<void> {
  const { input, output } = streams;
  const stop = () => {
    output.destroy();
    input?.destroy();
  };
  output.on('error', () => {}); // the copy below throws it; after that it is of no interest
  input?.on('error', () => {}); // a process may close its input while the client still sends
  exchange.signal.addEventListener('abort', stop, { once: true });
  let detached = false;
  try {
    if (exchange.signal.aborted) return stop();
    const { from, to, sent } = open(exchange, outputType(exchange.version, streams.tty), streams.tty);
    const scanner = streams.tty ? new DetachScanner(detachKeys) : undefined;
    void feed(from, input, scanner).then((keys) => {
      detached = keys;
      if (keys) stop();
    });
    try {
      await copy(sent(output), to);
    } catch (error) {
      if (!detached && !exchange.signal.aborted) throw error;
    }
    exchange.close();
  } finally {
    exchange.signal.removeEventListener('abort', stop);
    stop();
  }
}

/** Passes on what the client sends; what nobody takes is thrown away. True when the client typed the detach keys. */
async function feed(from: Readable, input: Writable | undefined, scanner: DetachScanner | undefined): Promise<boolean> {
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (!input || input.destroyed) continue;
      const { pass, detached } = scanner?.scan(chunk) ?? { pass: chunk, detached: false };
      if (pass.length > 0 && !input.write(pass)) await drained(input);
      if (detached) {
        from.resume();
        return true;
      }
    }
    input?.end();
  } catch {
    // The connection broke: the exchange's signal tells everyone.
  }
  return false;
}
