import type { StageScope } from '../dockerfile/stage-scope.ts';
import type { Stage } from '../dockerfile/stages.ts';
import type { ImageId } from '../oci/digest.ts';
import type { RunConfig } from '../oci/image-config.ts';
import type { LayerId } from '../store/layers.ts';
import type { SealedLayer } from './needs.ts';
import type { BuildSession } from './session.ts';
import { addStep, type StepImage } from './step-image.ts';
import type { SolvedVertex } from './vertex.ts';

/** Where a stage stands: between two instructions. */
export interface StageState {
  readonly config: RunConfig;
  /** What RUN stacks upon, bottom first; also layers whose digest is not known yet. */
  readonly layers: readonly StackedLayer[];
  /** Identity of the file system in the keys of later steps. */
  readonly result: string;
  /** Follows as soon as the digests of the layers below are known. */
  readonly image: Promise<StepImage>;
  /** How the last step on files was solved; undefined after one that changed only the config. */
  readonly vertex: SolvedVertex | undefined;
  /** The image that FROM named. */
  readonly baseImage: ImageId | undefined;
  readonly author: string | undefined;
  readonly cmdIsInherited: boolean;
}

export interface StackedLayer {
  readonly id: LayerId;
  readonly sealed: Promise<SealedLayer | undefined>;
}

export interface SolvedStage {
  readonly state: StageState;
  readonly scope: StageScope;
}

/** Where in a build an instruction stands. */
export interface StepPlace {
  readonly session: BuildSession;
  readonly stage: Stage;
  /** Before the instruction. */
  readonly state: StageState;
  readonly scope: StageScope;
  /** Number of the step, for what is told of it: a trigger's is that of its FROM. */
  readonly step: number;
  /** Another stage of this build, solved. */
  solved(index: number): Promise<SolvedStage>;
}

/** What a step changes. */
export interface StepResult {
  readonly config?: RunConfig;
  readonly createdBy: string;
  readonly author?: string;
  /** Undefined for metadata. */
  readonly vertex?: SolvedVertex;
  readonly cmdIsInherited?: boolean;
}

/** The state after a step. Its image is made as soon as its parent's is and its own layer has a digest. */
export function advance(session: BuildSession, state: StageState, step: StepResult): StageState {
  const { vertex, createdBy } = step;
  const config = step.config ?? state.config;
  const author = step.author ?? state.author;
  const { sourceDate } = session;
  const created =
    sourceDate === undefined
      ? (vertex?.created ?? new Date().toISOString())
      : new Date(sourceDate * 1000).toISOString().replace('.000Z', 'Z');
  const image = Promise.all([state.image, vertex?.sealed]).then(([parent, layer]) =>
    addStep(
      session.stepImages,
      parent,
      { config, createdBy, author, created, isDated: sourceDate !== undefined, diffId: layer?.diffId },
      !session.options.noCache,
    ),
  );
  image.catch(() => {}); // the end of the stage awaits the last image, which fails with the same reason
  const made = vertex?.layer && { id: vertex.layer.id, sealed: vertex.sealed };
  return {
    config,
    layers: made ? [...state.layers, made] : state.layers,
    result: vertex?.result ?? state.result,
    image,
    vertex,
    baseImage: state.baseImage,
    author,
    cmdIsInherited: step.cmdIsInherited ?? state.cmdIsInherited,
  };
}
