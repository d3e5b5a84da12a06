import type { TaskContext } from '../../lib/worker-task.ts';
import type { CopyInputs } from '../context/copy-inputs.ts';
import type { SourceFile } from '../context/source-file.ts';
import { gatherSources, kindOf, type LocalRequest, listSources } from './gather-sources.ts';
import { Turn } from './turn.ts';

/** What a COPY would copy. Reads only files whose digest is not remembered. */
export async function inputsTask(request: LocalRequest, { signal }: TaskContext): Promise<CopyInputs> {
  const { selections, digester, memo } = gatherSources(request, signal);
  const unknown: { readonly file: SourceFile; readonly place: number }[] = [];
  const lister = listSources(
    selections,
    (file) => {
      if (!digester.recall(file)) digester.lookForXattrs(file);
    },
    (file, place) => void unknown.push({ file, place }),
  );
  const turn = new Turn(signal);
  for (const { file, place } of unknown) {
    lister.fill(place, digester.read(file));
    if (turn.isOver()) await turn.pass();
  }
  memo.save();
  return lister.finish(kindOf(selections));
}
