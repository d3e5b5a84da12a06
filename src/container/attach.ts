import { Readable, Writable } from 'node:stream';
import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { readLog } from './log-reader.ts';
import { frame } from './output-hub.ts';

export interface AttachQuery {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay what was logged before. */
  readonly logs: boolean;
  /** Go on with what comes. */
  readonly stream: boolean;
}

/** Streams in the Engine API's form; see `OutputHub.attach`. Ending `input` is the client's end of input. */
export interface AttachedStreams {
  readonly tty: boolean;
  readonly output: Readable;
  readonly input: Writable | undefined;
}

/** Connects a client to the run that is going on, or else to the next one. */
export function attachTo(
  container: Container,
  query: AttachQuery,
  options: { readonly signal: AbortSignal },
): AttachedStreams {
  const { phase, config } = container.record;
  if (phase.status === 'paused')
    throw new Failure(
      'conflict',
      'CONTAINER_PAUSED',
      `Container ${container.id} is paused, unpause the container before attach`,
    );
  if (phase.status === 'restarting')
    throw new Failure(
      'conflict',
      'CONTAINER_RESTARTING',
      `Container ${container.id} is restarting, wait until the container is running`,
    );
  const { hub, input } = container.streams;
  const before = query.logs ? replay(container, query, options.signal) : undefined;
  const wanted = { stdout: query.stdout, stderr: query.stderr };
  const output = query.stream ? hub.attach(wanted, before) : Readable.from(before ?? [], { objectMode: false });
  return {
    tty: hub.tty,
    output,
    // A terminal has no end of input: who detached may come back.
    input: query.stdin && input ? clientInput(input, config.StdinOnce === true && !hub.tty) : undefined,
  };
}

/** What was logged until now, and lines that are not ended. Exactly what comes before the next piece of output. */
function replay(container: Container, query: AttachQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { hub, log } = container.streams;
  const partial = log?.partialLines() ?? [];
  const position = log?.position();
  const all = { timestamps: false, since: undefined, until: undefined, tail: undefined };
  return (async function* () {
    const end = await position;
    const read = { stdout: query.stdout, stderr: query.stderr, ...all };
    if (log && end) yield* readLog(log.path, hub.tty, read, { signal, span: { writer: log, end } });
    for (const { name, text } of partial) if (query[name]) yield hub.tty ? text : frame(name, text);
  })();
}

/** A client's way to the input that all clients share. */
function clientInput(input: Writable, endsInput: boolean): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (input.destroyed || input.writableEnded) done();
      else input.write(chunk, () => done());
    },
    final(done) {
      if (endsInput) input.end();
      done();
    },
  });
}
