import { join, posix } from 'node:path';
import type { RunInstruction } from '../../dockerfile/instruction.ts';
import { type Mount, resolveMount } from '../../dockerfile/mount.ts';
import type { StageScope } from '../../dockerfile/stage-scope.ts';
import type { Stage } from '../../dockerfile/stages.ts';
import { Failure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { CopyJob } from '../copy/copy-request.ts';
import { prepareCopy } from '../copy/prepare-copy.ts';
import type { RunMount } from '../needs.ts';
import type { BuildSession } from '../session.ts';
import { placeOf, type SourceContext } from '../source-place.ts';
import type { StageState } from '../stage-state.ts';
import { openCache } from './cache-mount.ts';

/** The `--mount`s of a RUN: what they add to its key, and what is mounted when it executes. */
export interface RunMounts extends AsyncDisposable {
  /** Components of the step's key. */
  readonly key: Readonly<Record<string, string>>;
  /** Brings the sources to folders of this machine, until `scope` ends. */
  open(scope: Scope): Promise<RunMount[]>;
}

/**
 * Reads the mounts of an instruction. A bind's key is the content of its source, that of a cache or a tmpfs only that it is
 * there. https://docs.docker.com/reference/dockerfile/#run---mount
 */
export async function planMounts(
  session: BuildSession,
  stage: Stage,
  state: StageState,
  scope: StageScope,
  instruction: RunInstruction,
  context: SourceContext,
): Promise<RunMounts> {
  await using held = new Scope();
  const key: Record<string, string> = {};
  const openers: ((scope: Scope) => Promise<RunMount>)[] = [];
  const expand = (word: string) => scope.expand(word, instruction.source).text;
  for (const flag of instruction.mounts) {
    const mount = resolveMount(flag, expand);
    const target = posix.resolve(
      '/',
      state.config.WorkingDir ?? '/',
      mount.type === 'secret' || mount.type === 'ssh' ? '' : mount.target,
    );
    const name = `mount ${target}`;
    switch (mount.type) {
      case 'tmpfs':
        key[name] = `tmpfs ${mount.size ?? ''}`;
        openers.push(async () => ({ kind: 'tmpfs', target, size: mount.size, readOnly: mount.readOnly }));
        break;
      case 'cache':
        key[name] = `cache ${mount.id ?? ''}`;
        openers.push((opened) => openCache(session, mount, target, opened));
        break;
      case 'bind': {
        const job = held.use(await bindJob(session, stage, instruction, mount, context));
        key[name] = `bind ${(await job.inputs({ signal: session.signal })).digest}`;
        openers.push((opened) => openBind(session, job, target, opened));
        break;
      }
      case 'secret':
      case 'ssh':
        throw new Failure('unsupported', 'MOUNT_UNSUPPORTED', `RUN --mount=type=${mount.type} is not supported yet`, {
          source: instruction.source,
        });
    }
  }
  const owned = held.move();
  return {
    key,
    async open(opened) {
      const mounts: RunMount[] = [];
      for (const open of openers) mounts.push(await open(opened));
      return mounts;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function bindJob(
  session: BuildSession,
  stage: Stage,
  instruction: RunInstruction,
  mount: Extract<Mount, { type: 'bind' }>,
  context: SourceContext,
): Promise<CopyJob> {
  // The files may be links into layers that others use: nobody may write to them.
  if (!mount.readOnly)
    throw new Failure('unsupported', 'MOUNT_WRITABLE', 'RUN --mount=type=bind,rw is not supported yet', {
      source: instruction.source,
    });
  const from = await placeOf(session, stage, mount.from, instruction.source, context);
  return prepareCopy(
    {
      instruction: 'COPY',
      sources: [{ kind: 'path', path: mount.source === '' ? '.' : mount.source }],
      destination: '/mount',
      workdir: '/',
      from,
      chown: undefined,
      chmod: undefined,
      excludes: [],
      parents: false,
      unpack: false,
      base: [],
    },
    { pool: session.workers, scratch: session.store.scratch, signal: session.signal },
  );
}

async function openBind(session: BuildSession, job: CopyJob, target: string, scope: Scope): Promise<RunMount> {
  const scratch = scope.use(makeScratchFolder(session.store.scratch, 'mount'));
  await job.copy({ folder: scratch.path, time: Math.floor(Date.now() / 1000) }, { signal: session.signal });
  return { kind: 'bind', source: join(scratch.path, 'diff/mount'), target, readOnly: true };
}
