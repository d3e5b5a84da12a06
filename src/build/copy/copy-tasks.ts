import type { TaskContext } from '../../lib/worker-task.ts';
import { copyTask } from './copy-files.ts';
import { digestRing, type RingMemory } from './digest-ring.ts';
import { inputsTask } from './find-inputs.ts';

/** What copying runs in worker threads; `bin/worker.ts` serves it. */
export const copyTasks = {
  'copy-inputs': inputsTask,
  'copy-files': copyTask,
  'copy-digest': (ring: RingMemory, { signal }: TaskContext) => digestRing(ring, signal),
};
