import { posix } from 'node:path';
import type { RunInstruction } from '../../dockerfile/instruction.ts';
import { type Mount, resolveMount } from '../../dockerfile/mount.ts';
import { Failure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import type { RunMount } from '../needs.ts';
import type { StepPlace } from '../stage-state.ts';
import { planAgent } from './agent-mount.ts';
import { planBind } from './bind-mount.ts';
import { planCache } from './cache-mount.ts';
import { planScript, scriptOf } from './script-mount.ts';
import { planSecret } from './secret-mount.ts';

/** The `--mount`s of a RUN, and the script that it is: what they add to its key, and what is mounted when it executes. */
export interface RunMounts extends AsyncDisposable {
  /** Components of the step's key. */
  readonly key: Readonly<Record<string, string>>;
  /** Brings the sources to this machine, until `scope` ends. */
  open(scope: Scope): Promise<OpenedMounts>;
}

export interface OpenedMounts {
  readonly mounts: readonly RunMount[];
  /** `NAME=value` for the program alone: no record, key or history may tell it. */
  readonly secretEnv: readonly string[];
}

/** One of them. */
export interface PlannedMount {
  /** Its target, else what it is. */
  readonly name: string;
  /** What it adds to the step's key. */
  readonly key: string;
  open(scope: Scope): Promise<OpenedMounts>;
}

/** Where in a build a mount is planned. */
export interface MountPlace extends StepPlace {
  readonly instruction: RunInstruction;
  /** Of the plan: what a mount holds until the step is done. */
  readonly held: Scope;
}

/**
 * Reads the mounts of an instruction. A bind's key is the content of its source, that of all others only that they are
 * there. https://docs.docker.com/reference/dockerfile/#run---mount
 */
export async function planMounts(step: StepPlace, instruction: RunInstruction): Promise<RunMounts> {
  const { session, state, scope } = step;
  await using held = new Scope();
  const place: MountPlace = { ...step, instruction, held };
  const expand = (word: string) => scope.expand(word, instruction.source).text;
  const key: Record<string, string> = {};
  const planned: PlannedMount[] = [];
  for (const [number, flag] of instruction.mounts.entries()) {
    const mount = resolveMount(flag, expand);
    const at = (path: string) => targetOf(path, state.config.WorkingDir, instruction);
    const one = await plan(place, mount, at, number);
    key[`mount ${one.name}`] = one.key;
    planned.push(one);
  }
  const script = scriptOf(instruction);
  if (script) {
    const one = planScript(session, script);
    key[`mount ${one.name}`] = one.key;
    planned.push(one);
  }
  const owned = held.move();
  return {
    key,
    async open(opened) {
      const mounts: RunMount[] = [];
      const secretEnv: string[] = [];
      for (const one of planned) {
        const ready = await one.open(opened);
        mounts.push(...ready.mounts);
        secretEnv.push(...ready.secretEnv);
      }
      return { mounts, secretEnv };
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** `at` makes a target absolute. */
async function plan(
  place: MountPlace,
  mount: Mount,
  at: (path: string) => string,
  number: number,
): Promise<PlannedMount> {
  switch (mount.type) {
    case 'tmpfs': {
      const target = at(mount.target);
      const { size, readOnly } = mount;
      const mounts: RunMount[] = [{ kind: 'tmpfs', target, size, readOnly }];
      return { name: target, key: `tmpfs ${size ?? ''}`, open: async () => ({ mounts, secretEnv: [] }) };
    }
    case 'cache':
      return planCache(place, mount, at(mount.target));
    case 'bind':
      return planBind(place, mount, at(mount.target));
    case 'secret':
      return planSecret(place, mount, mount.target === undefined ? undefined : at(mount.target));
    case 'ssh':
      return planAgent(place, mount, at(mount.target ?? `/run/buildkit/ssh_agent.${number}`));
  }
}

/** Below the WORKDIR; `..` cannot lead above the root, and the root itself cannot be covered. */
function targetOf(path: string, workdir: string | undefined, { source }: RunInstruction): string {
  const target = posix.resolve('/', workdir ?? '/', path);
  if (target !== '/') return target;
  throw new Failure('invalid', 'MOUNT_TARGET', 'invalid mount target "/"', {
    source,
    hint: 'name a folder or file below the root with target=',
  });
}
