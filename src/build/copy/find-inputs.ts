import type { TaskContext } from '../../lib/worker-task.ts';
import type { CopyInputs } from '../context/copy-inputs.ts';
import { gatherSources, type LocalRequest } from './gather-sources.ts';
import { listSources } from './list-sources.ts';
import { Turn } from './turn.ts';

/** What a COPY would copy. Reads only files whose digest is not remembered. */
export async function inputsTask(request: LocalRequest, { signal }: TaskContext): Promise<CopyInputs> {
  const { selections, digester, memo } = gatherSources(request, signal);
  const inputs = await listSources(selections, digester, new Turn(signal));
  memo.save();
  return inputs;
}
