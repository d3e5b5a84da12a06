import type { Sessions } from '../buildkit/session/sessions.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

/** What builds of BuildKit's clients are made with. */
export interface BuildKitParts {
  readonly sessions: Sessions;
}

export const buildKitRoutes: readonly Route<BuildKitParts>[] = [
  { method: 'POST', path: '/session', since: 31, hijack: true, handle: openSession },
];

async function openSession({ sessions }: BuildKitParts, exchange: Exchange): Promise<void> {
  const session = sessions.read(exchange.request.headersDistinct);
  await sessions.accept(exchange.switchTo('h2c'), session, { signal: exchange.signal });
}
