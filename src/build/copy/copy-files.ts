import { rmSync } from 'node:fs';
import type { TaskContext } from '../../lib/worker-task.ts';
import { joinInputs } from '../context/copy-inputs.ts';
import type { SourceFile } from '../context/source-file.ts';
import { copyPass } from './copy-pass.ts';
import type { CopiedLayer, CopyTarget } from './copy-request.ts';

import { gatherSources, type LocalRequest } from './gather-sources.ts';
import { listSources } from './list-sources.ts';
import { planCopy } from './plan-copy.ts';
import type { Selection } from './select-sources.ts';
import { Turn } from './turn.ts';
import { isArchive, unpackArchive } from './unpack-archive.ts';
import type { RingMemory } from './write-ring.ts';

export interface CopyTask {
  readonly request: LocalRequest;
  readonly target: CopyTarget;
  readonly ring: RingMemory;
}

/** Copies into a new layer. */
export async function copyTask(
  { request, target, ring }: CopyTask,
  { signal, post }: TaskContext,
): Promise<CopiedLayer> {
  const { selections, digester, memo, image, owner } = gatherSources(request, signal);
  const found = selections.map((selection) => recorded(selection));
  const scratch = `${target.folder}/unpacked`;
  try {
    const copied: Selection[] = [];
    for (const selection of found) {
      const isPacked = request.unpack && selection.isInTree && (await isArchive(selection.root, signal));
      // The archive's own digest counts for the key, not that of its content.
      if (isPacked && !digester.recall(selection.root)) digester.read(selection.root);
      copied.push(isPacked ? await unpackArchive(selection, `${scratch}/${copied.length}`, signal) : selection);
    }
    const plan = planCopy(copied, { ...request, isMany: request.sources.length > 1 }, image);
    const turn = new Turn(signal);
    const facts = await copyPass(plan, { ...target, owner, digester, ring, turn, onProgress: post });
    const inputs = joinInputs([await listSources(found, digester, turn)]);
    memo.save();
    return { facts, inputs };
  } finally {
    if (request.unpack) rmSync(scratch, { recursive: true, force: true });
  }
}

/** A selection that is walked once: the list is of the very files that were copied. */
function recorded(selection: Selection): Selection {
  const files: SourceFile[] = [];
  selection.walk((file) => void files.push(file));
  return {
    ...selection,
    walk: (visit) => {
      for (const file of files) visit(file);
    },
  };
}
