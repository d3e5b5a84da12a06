import { rmSync } from 'node:fs';
import type { TaskContext } from '../../lib/worker-task.ts';
import { comparePaths } from '../../tar/layer-entry.ts';
import { type CopyInputs, joinInputs } from '../context/copy-inputs.ts';
import type { SourceFile, WalkPart } from '../context/source-file.ts';
import { copyPass } from './copy-pass.ts';
import type { CopiedLayer, CopyTarget } from './copy-request.ts';

import { type GatheredSources, gatherSources, type LocalRequest } from './gather-sources.ts';
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
  const sources = gatherSources(request, signal);
  const { digester, memo, image, owner } = sources;
  const found = sources.selections.map((selection) => recorded(selection));
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
    const inputs = await listFound({ ...sources, selections: found }, turn);
    memo.save();
    return { facts, inputs };
  } finally {
    if (request.unpack) rmSync(scratch, { recursive: true, force: true });
  }
}

/** Lists what was copied, in the parts in which the next build will look at it. */
async function listFound(sources: GatheredSources, turn: Turn): Promise<CopyInputs> {
  const middle = sources.lists && sources.selections[0]?.middle?.();
  if (middle === undefined) return joinInputs([await listSources(sources, turn)]);
  const first = await listSources(sources, turn, { before: middle });
  return joinInputs([first, await listSources(sources, turn, { from: middle })]);
}

/** A selection that is walked once: the list is of the very files that were copied. */
function recorded(selection: Selection): Selection {
  const files: SourceFile[] = [];
  const looked: SourceFile[] = [];
  const seen = (file: SourceFile) => void looked.push(file);
  selection.walk((file) => void files.push(file), { seen });
  return {
    ...selection,
    walk: (visit, { part, seen } = {}) => {
      for (const file of part ? inPart(files, part) : files) visit(file);
      if (!seen) return;
      for (const file of part ? inPart(looked, part) : looked) seen(file);
      if (part && 'from' in part) for (const file of looked) if (part.from.startsWith(`${file.path}/`)) seen(file);
    },
  };
}

/** Of files in the order of a walk. */
function inPart(files: readonly SourceFile[], part: WalkPart): SourceFile[] {
  const place = 'before' in part ? part.before : part.from;
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePaths(files[middle]?.path ?? '', place) < 0) low = middle + 1;
    else high = middle;
  }
  return 'before' in part ? files.slice(0, low) : files.slice(low);
}
