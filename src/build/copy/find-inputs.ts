import { cancelled } from '../../lib/error.ts';
import type { TaskContext } from '../../lib/worker-task.ts';
import type { CopyInputs } from '../context/copy-inputs.ts';
import { gatherSources, type LocalRequest, listSources } from './gather-sources.ts';

/** What a COPY would copy. Reads only files whose digest is not remembered. */
export async function inputsTask(request: LocalRequest, { signal }: TaskContext): Promise<CopyInputs> {
  const { selections, digester, memo } = gatherSources(request, signal);
  let turn = performance.now();
  for (const { files } of selections)
    for (const file of files) {
      if (digester.recall(file)) continue;
      digester.complete(file);
      if (performance.now() - turn < 50) continue;
      await new Promise((resolve) => setImmediate(resolve)); // an abort arrives as a message
      if (signal.aborted) throw cancelled(signal);
      turn = performance.now();
    }
  memo.save();
  return listSources(selections);
}
