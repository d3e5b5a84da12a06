import { formatPlatform, parsePlatform } from '../../../oci/platform.ts';
import type { FromInstruction } from '../../instruction.ts';
import type { Rule } from '../rule.ts';

export const redundantTargetPlatform: Rule = {
  name: 'RedundantTargetPlatform',
  description: 'FROM does not ask for the target platform, which is what it gets anyway',
  level: 'warning',
  *check(model) {
    for (const { from } of model.stages) {
      const at = flagPlace(from);
      if (at === undefined || !/^\$(TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(from.platform ?? '')) continue;
      const length = /^\S+\s*/.exec(from.original.slice(at))?.[0].length ?? 0;
      const edit = model.edit(from, at, at + length, '');
      const message = `Setting platform to predefined ${from.platform} in FROM is redundant as this is the default behavior`;
      yield { instruction: from, at, message, edits: edit && [edit] };
    }
  },
};

export const fromPlatformFlagConstDisallowed: Rule = {
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM has no constant platform, so that the file builds for every platform',
  level: 'warning',
  codes: ['DL3029'],
  *check({ stages }) {
    for (const { from, name = '' } of stages) {
      if (from.platform === undefined || from.platform.includes('$')) continue;
      const platform = platformOrNothing(from.platform);
      if (!platform || name.includes(platform.os) || name.includes(platform.architecture)) continue;
      const message = `FROM --platform flag should not use constant value ${JSON.stringify(from.platform)}`;
      yield { instruction: from, at: flagPlace(from), message };
    }
  },
};

export const invalidBaseImagePlatform: Rule = {
  name: 'InvalidBaseImagePlatform',
  description: 'the base image has the platform that the build asks for',
  level: 'warning',
  *check({ stages, options, globals }) {
    for (const { from, base, image, parent } of stages) {
      if (!base || parent || image === 'scratch') continue;
      const asked = from.platform === undefined ? undefined : platformOrNothing(globals.expand(from.platform).text);
      const expected = asked ?? options.targetPlatform;
      if (!expected || (expected.os === base.platform.os && expected.architecture === base.platform.architecture))
        continue;
      const [actual, wanted] = [base.platform, expected].map((platform) => JSON.stringify(formatPlatform(platform)));
      const message = `Base image ${image} was pulled with platform ${actual}, expected ${wanted} for current build`;
      yield { instruction: from, message };
    }
  },
};

function flagPlace(from: FromInstruction): number | undefined {
  return from.flags.find(({ name }) => name === 'platform')?.at;
}

function platformOrNothing(text: string) {
  try {
    return parsePlatform(text);
  } catch {
    return undefined; // the plan refuses it
  }
}
