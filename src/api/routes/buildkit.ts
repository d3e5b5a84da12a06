import { type GrpcHandler, serveGrpc } from '../buildkit/grpc/server.ts';
import type { Sessions } from '../buildkit/session/sessions.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

/** What BuildKit's clients speak to. */
export interface BuildKitParts {
  readonly sessions: Sessions;
  /** By method. */
  readonly services: ReadonlyMap<string, GrpcHandler>;
}

export const buildKitRoutes: readonly Route<BuildKitParts>[] = [
  { method: 'POST', path: '/session', since: 31, hijack: true, handle: openSession },
  { method: 'POST', path: '/grpc', since: 31, hijack: true, handle: openServices },
];

/** The client serves what builds ask of it. */
async function openSession({ sessions }: BuildKitParts, exchange: Exchange): Promise<void> {
  const session = sessions.read(exchange.request.headersDistinct);
  await sessions.accept(await exchange.switchTo('h2c'), session, { signal: exchange.signal });
}

/** The client calls BuildKit's services. */
async function openServices({ services }: BuildKitParts, exchange: Exchange): Promise<void> {
  await serveGrpc(await exchange.switchTo('h2c'), services, { signal: exchange.signal });
}
