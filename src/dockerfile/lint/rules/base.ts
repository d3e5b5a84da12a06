import { parseReference, type Reference } from '../../../oci/reference.ts';
import type { InstructionBase } from '../../instruction.ts';
import { resolveFrom } from '../../stages.ts';
import type { Problem, Rule } from '../rule.ts';

export const latestTag: Rule = {
  name: 'LatestTag',
  description: 'base images have a tag other than latest, or a digest',
  level: 'warning',
  codes: ['DL3006', 'DL3007'],
  *check({ stages }) {
    for (const stage of stages) {
      if (!stage.parent) yield* judge(stage.image, stage.from);
      for (const instruction of stage.instructions) {
        if (instruction.kind !== 'COPY' || instruction.from === undefined || /^\d+$/.test(instruction.from)) continue;
        const source = resolveFrom(instruction.from, stage, stages, []);
        if (source.kind === 'image') yield* judge(source.name, instruction);
      }
    }
  },
};

function* judge(image: string, instruction: InstructionBase): Generator<Problem> {
  const reference = image === 'scratch' ? undefined : referenceOrNothing(image);
  if (!reference || reference.digest !== undefined) return;
  const why = 'each build may get another image';
  if (reference.tag === undefined) yield { instruction, message: `${image} has no tag: ${why}` };
  else if (reference.tag === 'latest') yield { instruction, message: `${image} is a moving tag: ${why}` };
}

function referenceOrNothing(image: string): Reference | undefined {
  try {
    return parseReference(image);
  } catch {
    return undefined; // the build refuses it
  }
}
