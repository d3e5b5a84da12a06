import { diskFailure } from '../../store/disk.ts';
import { FileWriter } from './write-entry.ts';
import { consumeRing, type RingMemory } from './write-ring.ts';

export interface HelpTask {
  readonly ring: RingMemory;
  /** The layer's own folder. */
  readonly folder: string;
}

/** Writes files that `copyTask` reads, so that a copy uses two cores. Ends with that task, at once when it comes too late. */
export function helpTask({ ring, folder }: HelpTask): void {
  using writer = new FileWriter(`${folder}/diff`);
  try {
    consumeRing(ring, writer);
  } catch (error) {
    throw diskFailure(error, `${folder} (while copying "${writer.current}")`);
  }
}
