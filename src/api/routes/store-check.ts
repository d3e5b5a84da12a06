import type { StoreCheckLine } from '../../wire/store-check.ts';
import type { StoreCheckBackend } from '../backend/system.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

export const storeCheckRoutes: readonly Route<StoreCheckBackend>[] = [
  { method: 'GET', path: '/strake/check', handle: (backend, exchange) => check(backend, exchange, false) },
  { method: 'POST', path: '/strake/check', handle: (backend, exchange) => check(backend, exchange, true) },
];

async function check(backend: StoreCheckBackend, exchange: Exchange, repair: boolean): Promise<void> {
  const lines = exchange.lines<StoreCheckLine>('\n');
  lines.open();
  await lines.write(await backend.check({ repair, emit: (row) => lines.write(row), signal: exchange.signal }));
  lines.end();
}
