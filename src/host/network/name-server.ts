import { createSocket } from 'node:dgram';
import { type EventEmitter, once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { Failure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import { forwardQuery } from './dns-forward.ts';
import {
  answerAddresses,
  answerCode,
  answerName,
  type DnsQuestion,
  FORMAT_ERROR,
  parseQuestion,
  REFUSED,
  reversedAddress,
  SERVER_FAILURE,
  TYPE_A,
  TYPE_AAAA,
  TYPE_PTR,
} from './dns-message.ts';
import { readDnsMessages, withLength } from './dns-stream.ts';
import type { Ip } from './ip.ts';
import type { Ipv4 } from './ipv4.ts';
import type { Ipv6 } from './ipv6.ts';

/** What a name server knows. It is asked for every query: networks change while a container runs. */
export interface NameSource {
  /** Addresses of a name; undefined when it is none of ours. */
  addressesOf(name: string): { readonly ipv4: readonly Ipv4[]; readonly ipv6: readonly Ipv6[] } | undefined;
  nameOf(address: Ip): string | undefined;
  /** Who is asked for all other names; empty when the container must not reach the outside. */
  upstream(): readonly string[];
}

/** Descriptors of a bound UDP socket and a bound TCP socket; the server closes them. */
export interface NameSockets {
  readonly udp: number;
  readonly tcp: number;
}

/** Where those sockets are bound. */
export interface NamePorts {
  readonly udp: number;
  readonly tcp: number;
}

/** Queries that one container may have under way. */
const QUERIES = 256;
const TCP_CLIENTS = 32;
const TCP_PATIENCE_MS = 10_000;

/** Serves names on sockets that are in a container's network namespace. Disposing closes them and ends what is under way. */
export async function serveNames(sockets: NameSockets, source: NameSource): Promise<AsyncDisposable> {
  await using scope = new Scope();
  const stop = new AbortController();
  scope.defer(() => stop.abort(new Failure('cancelled', 'NAMES_CLOSED', 'the container has ended')));
  const responder = makeResponder(source, stop.signal);

  const udp = createSocket('udp4');
  scope.defer(() => new Promise((resolve) => udp.close(() => resolve())));
  udp.on('message', (query, from) => {
    void responder(query, 'udp').then((answer) => {
      if (answer && !stop.signal.aborted) udp.send(answer, from.port, from.address, () => {});
    });
  });
  await opened(udp, () => udp.bind({ fd: sockets.udp }));
  udp.on('error', () => {}); // a client that cannot be answered

  const clients = new Set<Socket>();
  const tcp = createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => {}); // 'close' follows
    client.setTimeout(TCP_PATIENCE_MS, () => client.destroy());
    void answerClient(client, responder);
  });
  tcp.maxConnections = TCP_CLIENTS;
  scope.defer(
    () =>
      new Promise((resolve) => {
        tcp.close(() => resolve());
        for (const client of clients) client.destroy();
      }),
  );
  await opened(tcp, () => tcp.listen({ fd: sockets.tcp }));
  tcp.on('error', () => {}); // accept(2) short of descriptors
  return scope.move();
}

/** The event may come within the call that leads to it. */
async function opened(socket: EventEmitter, open: () => void): Promise<void> {
  const listening = once(socket, 'listening');
  open();
  await listening;
}

type Responder = (query: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;

/** Never rejects; undefined when there is nothing to say. */
function makeResponder(source: NameSource, signal: AbortSignal): Responder {
  let underWay = 0;
  return async (query, transport) => {
    const question = parseQuestion(query);
    if (!question) return query.length < 12 ? undefined : answerCode(query, FORMAT_ERROR);
    const known = answerOwn(query, question, source, transport);
    if (known) return known;
    const servers = source.upstream();
    if (servers.length === 0) return answerCode(query, SERVER_FAILURE, question.size);
    if (underWay >= QUERIES) return answerCode(query, REFUSED, question.size);
    underWay++;
    try {
      return await forwardQuery(query, question, { servers, transport, signal });
    } catch {
      return undefined; // the container has ended
    } finally {
      underWay--;
    }
  };
}

function answerOwn(
  query: Buffer,
  question: DnsQuestion,
  source: NameSource,
  transport: 'udp' | 'tcp',
): Buffer | undefined {
  const address = question.type === TYPE_PTR ? reversedAddress(question.name) : undefined;
  const name = address === undefined ? undefined : source.nameOf(address);
  if (name !== undefined) return answerName(query, question, name);
  const addresses = source.addressesOf(question.name);
  if (!addresses) return undefined;
  const { ipv4, ipv6 } = addresses;
  // A name of ours has no other records: saying so keeps resolvers that ask for more from giving the name up.
  const asked = question.type === TYPE_A ? ipv4 : question.type === TYPE_AAAA ? ipv6 : [];
  return answerAddresses(query, question, asked, transport);
}

async function answerClient(client: Socket, responder: Responder): Promise<void> {
  try {
    for await (const query of readDnsMessages(client)) {
      const answer = await responder(query, 'tcp');
      if (!answer || !client.writable) return;
      client.write(withLength(answer));
    }
  } catch {
    // the client has gone
  } finally {
    client.end();
  }
}
