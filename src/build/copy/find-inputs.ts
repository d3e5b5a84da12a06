import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { TaskContext } from '../../lib/worker-task.ts';
import { type CopyInputs, type InputList, joinInputs } from '../context/copy-inputs.ts';
import type { WalkPart } from '../context/source-file.ts';
import { gatherSources, type LocalRequest } from './gather-sources.ts';
import { listSources } from './list-sources.ts';
import type { Selection } from './select-sources.ts';
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

/** Makes the list only when the one before does not hold any more, and reads only files whose digest is not remembered. */
export async function inputsTask({ request, part }: InputsTask, { signal, post }: TaskContext): Promise<InputList> {
  const sources = gatherSources(request, signal);
  const { selections, memo, lists } = sources;
  const remembered = lists?.recall(part);
  const [only, second] = selections;
  const own = part ?? remembered?.part ?? (second ? undefined : firstPart(only));
  if (!part && own && 'before' in own) post(own.before);
  if (remembered && lists?.holds(remembered)) return remembered.list;
  const inputs = await listSources(sources, new Turn(signal), own);
  memo.save();
  return inputs;
}

function firstPart(selection: Selection | undefined): WalkPart | undefined {
  const middle = selection?.middle?.();
  return middle === undefined ? undefined : { before: middle };
}
