import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { TaskContext } from '../../lib/worker-task.ts';
import { type CopyInputs, type InputList, joinInputs } from '../context/copy-inputs.ts';
import type { WalkPart } from '../context/source-file.ts';
import { gatherSources, type LocalRequest } from './gather-sources.ts';
import { listSources } from './list-sources.ts';
import { Turn } from './turn.ts';

export interface InputsTask {
  readonly request: LocalRequest;
  /** Of a request with one folder as its source. */
  readonly part?: WalkPart;
}

/** What a COPY would copy. A large folder is walked by two threads. */
export async function findInputs(
  pool: WorkerPool,
  request: LocalRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<CopyInputs> {
  const list = (task: InputsTask, onMessage = (_: unknown) => {}) =>
    pool.run<InputList>('copy-inputs', task, { signal, onMessage });
  const rest: Promise<InputList>[] = [];
  // The task posts where its own part ends, when it has found that the folder is worth two.
  const first = list({ request }, (from) => rest.push(list({ request, part: { from: String(from) } })));
  await Promise.allSettled([first]);
  await Promise.allSettled(rest); // nobody reads the sources any more, also when this fails
  return joinInputs([await first, ...(await Promise.all(rest))]);
}

/** Reads only files whose digest is not remembered. */
export async function inputsTask({ request, part }: InputsTask, { signal, post }: TaskContext): Promise<InputList> {
  const { selections, digester, memo } = gatherSources(request, signal);
  const [only, second] = selections;
  const middle = part || second ? undefined : only?.middle?.();
  if (middle !== undefined) post(middle);
  const own = middle === undefined ? part : { before: middle };
  const inputs = await listSources(selections, digester, new Turn(signal), own);
  memo.save();
  return inputs;
}
