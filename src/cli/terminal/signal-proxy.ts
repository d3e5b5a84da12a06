import type { EngineClient } from '../client/engine-client.ts';

const PROXIED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT'] as const;

/** Sends the signals that this command receives to a container instead. */
export function proxySignals(client: EngineClient, container: string): Disposable {
  const forward = (signal: NodeJS.Signals) => {
    // Not the session's signal: this request must go out because a signal came. It may come too early or too late.
    const options = { query: { signal }, signal: AbortSignal.timeout(10_000) };
    client.call('POST', `/containers/${container}/kill`, options).catch(() => {});
  };
  for (const name of PROXIED) process.on(name, forward);
  return {
    [Symbol.dispose]() {
      for (const name of PROXIED) process.off(name, forward);
    },
  };
}
