import { StageScope } from '../dockerfile/stage-scope.ts';
import type { Stage } from '../dockerfile/stages.ts';
import { chainIds } from '../oci/digest.ts';
import type { RunConfig } from '../oci/image-config.ts';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import type { BuildContext } from './context/build-context.ts';
import type { BaseImage } from './needs.ts';
import type { BuildSession } from './session.ts';
import type { SolvedStage } from './stage-state.ts';
import { emptyImage } from './step-image.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a stage begins with. */
export interface StartedStage extends SolvedStage {
  /** ONBUILD instructions that its base image brings. */
  readonly triggers: readonly string[];
  /** Files that come before its first instruction: those of a named context. */
  readonly content?: BuildContext;
}

/** FROM: the state that a stage starts with, and the triggers that its base image brings. */
export async function fromStep(
  session: BuildSession,
  stage: Stage,
  solvedStage: (index: number) => Promise<SolvedStage>,
  step: number,
): Promise<StartedStage> {
  const base = stage.base;
  switch (base.kind) {
    case 'scratch':
      return fromScratch(session, stage, step);
    case 'stage': {
      const { state, scope } = await solvedStage(base.index);
      const { config } = withoutTriggers(state.config);
      return {
        state: { ...state, config, cmdIsInherited: true },
        scope: new StageScope(session.plan, config.Env ?? [], scope),
        triggers: [],
      };
    }
    case 'context': {
      const opened = await session.contexts.open(base.name, platformOf(session, stage.platform));
      if (opened.kind === 'image') return fromImage(session, opened.name, stage, step);
      return { ...fromScratch(session, stage, step), content: await opened.context.at(['.']) };
    }
    case 'image':
      return fromImage(session, base.name, stage, step);
  }
}

function fromScratch(session: BuildSession, stage: Stage, step: number): StartedStage {
  const image = emptyImage(platformOf(session, stage.platform));
  session.trace.based(step, { name: 'scratch', image: '', result: 'scratch' });
  const state = {
    config: withPath({}),
    layers: [],
    result: 'scratch',
    image: Promise.resolve(image),
    vertex: undefined,
    baseImage: undefined,
    author: undefined,
    cmdIsInherited: true,
  };
  return { state, scope: new StageScope(session.plan, state.config.Env ?? []), triggers: [] };
}

async function fromImage(session: BuildSession, name: string, stage: Stage, step: number): Promise<StartedStage> {
  const image = await resolveImage(session, name, stage.platform, step);
  const { config, triggers } = withoutTriggers(withPath(image.config.config ?? {}));
  session.trace.based(step, { name, image: image.id, result: chainOf(image) });
  return {
    state: {
      config,
      layers: image.layers.map((layer) => ({ id: layer.id, sealed: Promise.resolve(layer) })),
      result: chainOf(image),
      image: Promise.resolve({ id: image.id, config: image.config, known: false }),
      vertex: undefined,
      baseImage: image.id,
      author: image.config.author,
      cmdIsInherited: true,
    },
    scope: new StageScope(session.plan, config.Env ?? []),
    triggers,
  };
}

/** An image that FROM or `--from` names. */
export function resolveImage(
  session: BuildSession,
  name: string,
  platform: string | undefined,
  step: number,
): Promise<BaseImage> {
  return session.images.resolve(name, {
    pull: session.options.pull,
    platform: platformOf(session, platform),
    signal: session.signal,
    report: (text) => void session.emit({ type: 'step-output', step, stream: 'stdout', text }),
  });
}

/** What `FROM --platform` says, else what the build is for. */
const platformOf = ({ platform }: BuildSession, stated: string | undefined): Platform =>
  stated === undefined ? platform : parsePlatform(stated);

/** Identity of an image's file system: equal content, equal keys, whatever the image is called. */
export function chainOf(image: BaseImage): string {
  return chainIds(image.layers.map((layer) => layer.diffId)).at(-1) ?? 'scratch';
}

/** Docker gives every image a PATH. */
function withPath(config: RunConfig): RunConfig {
  const env = config.Env ?? [];
  if (env.some((entry) => entry.startsWith('PATH='))) return config;
  return { ...config, Env: [...env, `PATH=${DEFAULT_PATH}`] };
}

function withoutTriggers(config: RunConfig): { config: RunConfig; triggers: readonly string[] } {
  const { OnBuild, ...rest } = config;
  return { config: rest, triggers: OnBuild ?? [] };
}
