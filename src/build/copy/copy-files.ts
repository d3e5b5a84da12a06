import { rmSync } from 'node:fs';
import type { TaskContext } from '../../lib/worker-task.ts';
import { copyPass } from './copy-pass.ts';
import type { CopiedLayer, CopyTarget } from './copy-request.ts';
import type { RingMemory } from './digest-ring.ts';
import { type GatheredSources, gatherSources, type LocalRequest, listSources } from './gather-sources.ts';
import { planCopy } from './plan-copy.ts';
import type { Selection } from './select-sources.ts';
import { isArchive, unpackArchive } from './unpack-archive.ts';

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
  const scratch = `${target.folder}/unpacked`;
  try {
    const copied = request.unpack ? await unpackAll(sources, scratch, signal) : sources.selections;
    const plan = planCopy(copied, { ...request, isMany: request.sources.length > 1 }, sources.image);
    const { owner, digester } = sources;
    const facts = await copyPass(plan, { ...target, owner, digester, ring, signal, onProgress: post });
    sources.memo.save();
    return { facts, inputs: listSources(sources.selections) };
  } finally {
    if (request.unpack) rmSync(scratch, { recursive: true, force: true });
  }
}

/** The selections with the content of archives in place of the archives, whose own digest counts for the key. */
async function unpackAll({ selections, unpackable, digester }: GatheredSources, scratch: string, signal: AbortSignal) {
  const copied: Selection[] = [];
  for (const selection of selections) {
    const isPacked = unpackable.has(selection) && (await isArchive(selection.root, signal));
    if (isPacked) digester.complete(selection.root);
    copied.push(isPacked ? await unpackArchive(selection, `${scratch}/${copied.length}`, signal) : selection);
  }
  return copied;
}
