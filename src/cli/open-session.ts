import { Failure } from '../lib/error.ts';
import { connectOrStart } from './client/connect.ts';
import type { EngineClient } from './client/engine-client.ts';
import { chooseHost, type HostFlags } from './client/host-choice.ts';
import type { Session } from './session.ts';
import { standardError, standardOutput } from './standard-streams.ts';

/** The session of this process with the host that flags and environment choose; it has connected to nothing yet. */
export function openSession(flags: HostFlags, hostScript: URL): Session {
  const choice = chooseHost(flags, process.env, process.getuid?.() ?? 0);
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.kill(process.pid, 'SIGKILL');
    const exitCode = name === 'SIGINT' ? 130 : name === 'SIGTERM' ? 143 : 129;
    controller.abort(new Failure('cancelled', 'INTERRUPTED', 'interrupted', { exitCode }));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  let client: Promise<EngineClient> | undefined;
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return standardOutput();
    },
    get stderr() {
      return standardError();
    },
    env: process.env,
    choice,
    hostScript,
    signal: controller.signal,
    client() {
      client ??= connectOrStart(choice, hostScript, controller.signal);
      return client;
    },
    takeSignals() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
