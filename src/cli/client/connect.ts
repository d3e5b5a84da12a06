import { Failure } from '../../lib/error.ts';
import type { EngineClient } from './engine-client.ts';
import type { HostChoice } from './host-choice.ts';
import { connectOrUndefined } from './try-connect.ts';

/**
 * Connects to the chosen host; starts it when none listens and it may be started. Two commands may do this at once:
 * the host that does not get the store's lock leaves, and both commands reach the other.
 */
export async function connectOrStart(choice: HostChoice, hostScript: URL, signal: AbortSignal): Promise<EngineClient> {
  const client = await connectOrUndefined(choice, signal);
  const connected = client ?? (await startHost(choice, hostScript, signal));
  if (choice.dataRootChosen && client?.strakeVersion !== undefined) await checkDataRoot(client, choice, signal);
  return connected;
}

/** Loaded only when it is needed: most commands find a host. */
async function startHost(choice: HostChoice, hostScript: URL, signal: AbortSignal): Promise<EngineClient> {
  const { startAndConnect } = await import('./start-host.ts');
  return await startAndConnect(choice, hostScript, signal);
}

async function checkDataRoot(client: EngineClient, choice: HostChoice, signal: AbortSignal): Promise<void> {
  const info = await client.json<{ DockerRootDir: string }>('GET', '/info', { signal });
  if (info.DockerRootDir === choice.dataRoot) return;
  throw new Failure(
    'conflict',
    'DATA_ROOT_MISMATCH',
    `the host at ${choice.endpoint.text} has data root ${info.DockerRootDir}, not ${choice.dataRoot}`,
    { hint: 'choose another socket with -H for another data root' },
  );
}
