import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Failure } from '../../../lib/error.ts';
import { Arrivals } from '../arrivals.ts';
import { GrpcClient } from '../grpc/client.ts';

/** A connection on which a client lends its files, secrets, credentials and agents to builds: we call its services. */
export interface ClientSession {
  readonly id: string;
  readonly name: string;
  /** What the client gives to all sessions of one folder; may be empty. */
  readonly sharedKey: string;
  /** Whether the client said that it serves a method (`/package.Service/Method`, as it writes it, or without the slash). */
  has(method: string): boolean;
  readonly grpc: GrpcClient;
  /** Aborts (`unavailable`) when the client has gone. */
  readonly closed: AbortSignal;
}

const LONGEST_ID = 128;
const MOST_METHODS = 1000;

/** The sessions that clients have open. https://github.com/moby/buildkit/tree/master/session */
export class Sessions {
  readonly #open = new Arrivals<ClientSession>();

  /** The headers of a request as those of a session. Throws a Failure (`invalid`, `conflict`). */
  read(headers: IncomingMessage['headersDistinct']): Omit<ClientSession, 'grpc' | 'closed'> {
    const one = (name: string) => headers[`x-docker-expose-session-${name}`]?.[0] ?? '';
    const id = one('uuid');
    if (id === '' || id.length > LONGEST_ID || !/^[\w:.-]+$/.test(id))
      throw new Failure('invalid', 'SESSION_ID', `invalid session ID "${id.slice(0, LONGEST_ID)}"`);
    this.#expectFree(id);
    const listed = headers['x-docker-expose-session-grpc-method'] ?? [];
    const methods = new Set(listed.slice(0, MOST_METHODS).map((method) => methodName(method)));
    return {
      id,
      name: one('name'),
      sharedKey: one('sharedkey'),
      has: (method) => methods.has(methodName(method)),
    };
  }

  /** Keeps a session until its connection closes or `signal` aborts. Throws a Failure (`conflict`). */
  async accept(
    socket: Duplex,
    session: Omit<ClientSession, 'grpc' | 'closed'>,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    this.#expectFree(session.id); // another may have come since its headers were read
    const grpc = new GrpcClient(socket);
    const closed = new AbortController();
    const stop = () => grpc.close();
    options.signal.addEventListener('abort', stop, { once: true });
    using _ = this.#open.add(session.id, { ...session, grpc, closed: closed.signal });
    try {
      if (options.signal.aborted) stop();
      await grpc.closed;
    } finally {
      options.signal.removeEventListener('abort', stop);
      closed.abort(new Failure('unavailable', 'CLIENT_GONE', 'the client closed its session'));
    }
  }

  /** The session with this ID; waits some seconds for one that is just being opened. Throws a Failure (`not-found`). */
  async find(id: string, options: { readonly signal: AbortSignal }): Promise<ClientSession> {
    const session = await this.#open.find(id, options);
    if (!session) throw new Failure('not-found', 'NO_SESSION', `no active session for ${id.slice(0, LONGEST_ID)}`);
    return session;
  }

  #expectFree(id: string): void {
    if (this.#open.get(id)) throw new Failure('conflict', 'SESSION_EXISTS', `session ${id} already exists`);
  }
}

function methodName(method: string): string {
  return method.replace(/^\//, '').toLowerCase();
}
