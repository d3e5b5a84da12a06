import { existsSync } from 'node:fs';
import { type BuildRecord, type RunRecord, type StepRecord, sameStage } from '../../build/explain/build-record.ts';
import type { Containers } from '../../container/containers.ts';
import { isAlive } from '../../container/record.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import type { DiffId, ImageId } from '../../oci/digest.ts';
import { shortId } from '../../oci/digest.ts';
import type { RunConfig } from '../../oci/image-config.ts';
import type { Store } from '../../store/open-store.ts';
import type { DebugAnswer, DebugRequest } from '../../wire/build-explain.ts';
import type { HostConfig, MountRequest } from '../../wire/container.ts';
import type { KeptSteps } from './kept-steps.ts';
import { mountRequest } from './run-executor.ts';

export interface DebugNeeds {
  readonly store: Store;
  readonly containers: Containers;
  readonly kept: KeptSteps;
  /** All that are remembered, newest first. */
  readonly builds: () => BuildRecord[];
  /** The changes of a stopped container as a layer of the store; undefined when there are none. */
  readonly layerOf: (container: string, signal: AbortSignal) => Promise<DiffId | undefined>;
}

/** Where the retry script appears: in every usual PATH. */
const RETRY = '/usr/local/bin/retry-step';

/**
 * Makes a container that stands where a step of a build stood: its files, its user, folder and environment, and those of
 * its mounts that are still there. It is removed when it ends; nothing that happens in it changes what is kept.
 */
export async function debugStep(
  needs: DebugNeeds,
  build: BuildRecord,
  request: DebugRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<DebugAnswer> {
  const { store, containers, kept } = needs;
  using _held = store.leases.begin();
  const step = stepOf(build, request.Step);
  const isBefore = request.Before === true || request.Retry === true;
  const run = step.outcome === 'cached' ? ranBefore(step, needs.builds()) : step.run;
  if (request.Retry && !run)
    throw new Failure('invalid', 'STEP_NOT_RUN', `step ${step.index + 1} runs no command: ${step.text}`);
  const place = await placeOf(needs, build, step, isBefore, signal);
  const settings = run ?? settingsOf(place.config);
  const asked = request.Cmd ?? [];
  const shell = place.config.Shell?.[0] ?? '/bin/sh';
  const command = request.Retry ? settings.argv : asked.length > 0 ? asked : [shell];
  const there = settings.mounts.filter((mount) => mount.kind === 'tmpfs' || existsSync(mount.source));
  const retry: MountRequest[] = run
    ? [{ Type: 'bind', Source: kept.script(build.id, step.index + 1, run.argv), Target: RETRY, ReadOnly: true }]
    : [];
  const layers = store.layers.chain(place.diffIds).map((layer) => layer.id);
  const { id } = await containers.create({
    name: undefined,
    image: { id: place.image, config: {}, layers, diffIds: place.diffIds },
    config: {
      ...INTERACTIVE,
      Image: place.image ?? '',
      Cmd: [...command],
      Env: [...settings.env],
      User: settings.user,
      WorkingDir: settings.workdir,
      Labels: { 'strake.debug': `${build.id} ${step.index + 1}` },
      Tty: request.Tty ?? false,
    },
    hostConfig: hostConfigOf(settings, [...there.map(mountRequest), ...retry]),
    endpoints: {},
  });
  const gone = settings.mounts.filter((mount) => !there.includes(mount));
  return {
    Container: id,
    Build: build.id,
    Step: step.index + 1,
    Instruction: step.text,
    Outcome: step.outcome,
    Shows: place.shows,
    User: settings.user,
    WorkingDir: settings.workdir,
    Lost: [...settings.lost, ...gone.map(({ target }) => target)],
    CanRetry: run !== undefined,
  };
}

const INTERACTIVE = { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true };

function hostConfigOf({ privileged, network, extraHosts }: RunRecord, mounts: MountRequest[]): HostConfig {
  return {
    AutoRemove: true,
    Privileged: privileged,
    NetworkMode: network,
    ExtraHosts: [...extraHosts],
    Mounts: mounts,
  };
}

/** Where a step stands that runs nothing: as a container of its image would. */
function settingsOf({ Env = [], User = '', WorkingDir = '' }: RunConfig): RunRecord {
  return {
    argv: [],
    env: Env,
    user: User,
    workdir: WorkingDir,
    network: 'default',
    extraHosts: [],
    privileged: false,
    mounts: [],
    lost: [],
  };
}

function stepOf(build: BuildRecord, number: number | undefined): StepRecord {
  const step =
    number === undefined
      ? (build.steps.find(({ outcome }) => outcome === 'failed') ??
        build.steps.findLast(({ outcome }) => outcome === 'done' || outcome === 'cached'))
      : build.steps[number - 1];
  if (step && step.outcome !== 'waiting') return step;
  if (step)
    throw new Failure('invalid', 'STEP_NOT_REACHED', `build ${build.id} did not come to step ${number}: ${step.text}`);
  throw new Failure('invalid', 'STEP_UNKNOWN', `build ${build.id} has no step ${number}`, {
    hint: `its steps are 1 to ${build.steps.length}`,
  });
}

/** How a step ran that came from the cache: as in the build that made it, which also had its mounts. */
function ranBefore(step: StepRecord, builds: readonly BuildRecord[]): RunRecord | undefined {
  const digests = new Set(step.keys.map(({ digest }) => digest));
  const made = builds
    .flatMap(({ steps }) => steps)
    .find(({ outcome, keys }) => outcome === 'done' && keys.some(({ digest }) => digests.has(digest)));
  return made?.run ?? step.run;
}

interface Place {
  readonly image: ImageId | undefined;
  readonly config: RunConfig;
  /** Bottom first. */
  readonly diffIds: readonly DiffId[];
  readonly shows: DebugAnswer['Shows'];
}

async function placeOf(
  needs: DebugNeeds,
  build: BuildRecord,
  step: StepRecord,
  isBefore: boolean,
  signal: AbortSignal,
): Promise<Place> {
  const container = step.run?.container;
  const before = build.steps.findLast(
    (other) => other.index < step.index && sameStage(other, step) && other.image !== undefined,
  );
  if (step.outcome === 'failed' && container !== undefined && !isBefore) {
    const below = needs.store.containers.layersOf(stoppedContainer(needs.containers, container, step));
    const changes = await needs.layerOf(container, signal);
    const { config } = before ? imageOf(needs.store, before) : { config: {} };
    const diffIds = changes === undefined ? below : [...below, changes];
    return { image: needs.containers.find(container).record.image, config, diffIds, shows: 'after' };
  }
  const shows = isBefore || step.outcome === 'failed' ? 'before' : 'after';
  const source = shows === 'before' ? before : step;
  if (source?.image === undefined)
    throw new Failure('invalid', 'STEP_EMPTY', `there are no files ${shows} step ${step.index + 1}: ${step.text}`);
  return { ...imageOf(needs.store, source), shows };
}

function stoppedContainer(containers: Containers, id: string, step: StepRecord) {
  try {
    const container = containers.find(id);
    if (!isAlive(container.record.phase)) return container.id;
    throw new Failure(
      'conflict',
      'CONTAINER_RUNNING',
      `the container that step ${step.index + 1} left is running again`,
      {
        hint: `enter it: strake exec -it ${id.slice(0, 12)} sh`,
      },
    );
  } catch (error) {
    if (!isFailure(error, 'not-found')) throw error;
    throw new Failure('not-found', 'STEP_GONE', `what step ${step.index + 1} left is not there any more`, {
      hint: `see what was before it: strake debug --before --step ${step.index + 1}`,
    });
  }
}

function imageOf(store: Store, step: StepRecord): Omit<Place, 'shows'> {
  try {
    const image = store.images.resolve(step.image ?? '');
    return { image: image.id, config: image.config.config ?? {}, diffIds: image.config.rootfs.diff_ids };
  } catch (error) {
    if (!isFailure(error, 'not-found')) throw error;
    const name = shortId((step.image ?? '') as ImageId); // step-done gave it
    throw new Failure('not-found', 'STEP_GONE', `the image of step ${step.index + 1} (${name}) was removed`, {
      hint: 'build again',
    });
  }
}
