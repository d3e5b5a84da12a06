/** The connections of BuildKit's clients, which leave HTTP/1.1 for gRPC. */
import { type GrpcHandler, serveGrpc } from '../buildkit/grpc/server.ts';
import type { Sessions } from '../buildkit/session/sessions.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

/** The client serves what builds ask of it. */
export const sessionRoutes: readonly Route<Sessions>[] = [
  { method: 'POST', path: '/session', since: 31, hijack: true, handle: openSession },
];

/** The client calls BuildKit's services. */
export const serviceRoutes: readonly Route<ReadonlyMap<string, GrpcHandler>>[] = [
  { method: 'POST', path: '/grpc', since: 31, hijack: true, handle: openServices },
];

async function openSession(sessions: Sessions, exchange: Exchange): Promise<void> {
  const session = sessions.read(exchange.request.headersDistinct);
  await sessions.accept(await exchange.switchTo('h2c'), session, { signal: exchange.signal });
}

async function openServices(services: ReadonlyMap<string, GrpcHandler>, exchange: Exchange): Promise<void> {
  await serveGrpc(await exchange.switchTo('h2c'), services, { signal: exchange.signal });
}
