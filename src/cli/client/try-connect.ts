import { isFailure } from '../../lib/error.ts';
import { EngineClient } from './engine-client.ts';
import type { HostChoice } from './host-choice.ts';

/** Connects when the host listens; undefined when it does not and may be started. */
export async function connectOrUndefined(choice: HostChoice, signal: AbortSignal): Promise<EngineClient | undefined> {
  try {
    return await EngineClient.connect(choice.endpoint, signal);
  } catch (error) {
    if (choice.mayStart && isFailure(error) && error.code === 'HOST_UNREACHABLE') return undefined;
    throw error;
  }
}
