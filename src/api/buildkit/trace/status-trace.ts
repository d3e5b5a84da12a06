import type { BuildEvent, StepInfo } from '../../../wire/build.ts';
import { placeIn, type ReadDockerfile } from './place.ts';
import type { OpenVertex, Vertexes } from './vertexes.ts';
import { failureWords, imageName, isShown, stepName } from './words.ts';

type Base = NonNullable<StepInfo['from']>;
type LintEvent = Extract<BuildEvent, { type: 'lint' }>;

export interface StatusTraceOptions {
  readonly vertexes: Vertexes;
  /** What the build is for, when others go with it. */
  readonly platform?: string | undefined;
  /** The Dockerfile, for the places that warnings are about; undefined while nobody has read it. */
  readonly dockerfile: () => ReadDockerfile | undefined;
  /** Of the build: when it aborts, steps do not fail, they are cancelled. */
  readonly signal: AbortSignal;
}

/** A step as it is shown: FROM of one image is one vertex, however many stages begin with it. */
interface ShownStep {
  readonly vertex: OpenVertex;
  /** What FROM does before its image is there. */
  readonly metadata: OpenVertex | undefined;
}

const METADATA = '[internal] load metadata for ';

/** Draws the events of a build as BuildKit's vertexes. */
export class StatusTrace {
  readonly #options: StatusTraceOptions;
  readonly #shown = new Map<number, ShownStep>();
  readonly #bases = new Map<string, ShownStep>();
  readonly #cached = new Set<number>();
  /** The step of the same stage that comes before, of those that are shown. */
  readonly #before = new Map<number, number>();
  /** When the next step of the stage began: the work of this one had ended, though its layer may not have been sealed. */
  readonly #left = new Map<number, number>();
  #failure: string | undefined;

  constructor(options: StatusTraceOptions) {
    this.#options = options;
  }

  /** What stopped the build, once a step has failed. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Ends what is still open, when the build has stopped. */
  async cancel(): Promise<void> {
    for (const step of this.#left.keys()) await this.#done(step, 0);
    await this.#options.vertexes.cancel();
  }

  async event(event: BuildEvent): Promise<void> {
    switch (event.type) {
      case 'plan':
        return this.#plan(event.steps, event.stages);
      case 'step-start':
        return this.#start(event.step, event.at);
      case 'step-cached':
        this.#cached.add(event.step);
        return;
      case 'step-triggers':
        return this.#vertex(event.step, ({ metadata }) => metadata?.end());
      case 'step-output':
        return this.#vertex(event.step, ({ vertex }) => vertex.log(event.stream, event.text));
      case 'step-progress':
        return this.#vertex(event.step, ({ vertex }) => vertex.progress(event.what, event.current, event.total));
      case 'step-done':
        return this.#done(event.step, event.at);
      case 'step-failed':
        return this.#failed(event.step, event.message, event.at);
      case 'warning':
        return this.#options.vertexes.warn({ short: Buffer.from(event.message) });
      case 'lint':
        return this.#lint(event);
      default:
        return;
    }
  }

  async #plan(steps: readonly StepInfo[], stages: number): Promise<void> {
    const shown = steps.filter(isShown);
    const names = namesOf(shown, stages, this.#options.platform);
    // FROM of an image bears the name that it has in the last stage, which is the target's as a rule.
    for (const step of shown.toReversed()) if (step.from) this.#plannedBase(step, step.from, names);
    const added = new Set<OpenVertex>();
    let before: StepInfo | undefined;
    for (const step of shown) {
      const input = before?.stage === step.stage ? this.#shown.get(before.index) : undefined;
      const inputs = input ? [input.vertex.vertex.digest] : [];
      const own = this.#shown.get(step.index) ?? {
        vertex: this.#options.vertexes.make(names.get(step) ?? step.text, inputs),
        metadata: undefined,
      };
      this.#shown.set(step.index, own);
      if (own.metadata) added.add(own.metadata);
      added.add(own.vertex);
      before = step;
    }
    this.#order(steps, shown);
    await this.#options.vertexes.announce([...added]);
  }

  #order(steps: readonly StepInfo[], shown: readonly StepInfo[]): void {
    const seen = new Set(shown);
    const last = new Map<number, number>();
    for (const step of steps) {
      const before = last.get(step.stage);
      if (before !== undefined) this.#before.set(step.index, before);
      if (seen.has(step)) last.set(step.stage, step.index);
    }
  }

  #plannedBase(step: StepInfo, { kind, name }: Base, names: ReadonlyMap<StepInfo, string>): void {
    const { vertexes } = this.#options;
    const key = `${kind} ${name}`;
    const base = this.#bases.get(key) ?? {
      metadata: kind === 'image' ? vertexes.make(`${METADATA}${imageName(name)}`) : undefined,
      vertex: vertexes.make(names.get(step) ?? step.text),
    };
    this.#bases.set(key, base);
    this.#shown.set(step.index, base);
  }

  async #start(step: number, at: number): Promise<void> {
    const before = this.#before.get(step);
    if (before !== undefined && !this.#left.has(before)) this.#left.set(before, at);
    const shown = this.#shown.get(step);
    await (shown?.metadata ?? shown?.vertex)?.begin(at);
  }

  /** Does something with a step's vertex, which then has begun. */
  async #vertex(step: number, act: (shown: ShownStep) => Promise<void> | undefined): Promise<void> {
    const shown = this.#shown.get(step);
    if (!shown) return;
    await shown.metadata?.end();
    await shown.vertex.begin();
    await act(shown);
  }

  async #done(step: number, sealed: number): Promise<void> {
    const shown = this.#shown.get(step);
    if (!shown) return;
    const at = this.#left.get(step) ?? sealed;
    await shown.metadata?.end('done', at);
    await shown.vertex.begin(at);
    await shown.vertex.end(this.#cached.has(step) ? 'cached' : 'done', at);
  }

  /** The first failure stops the other steps, whose failures are no news. */
  async #failed(step: number, message: string, at: number): Promise<void> {
    const shown = this.#shown.get(step);
    const words = failureWords(message);
    const isNews = this.#failure === undefined && !this.#options.signal.aborted;
    const how = isNews ? { error: words } : 'cancelled';
    const metadata = shown?.metadata?.isOpen ? shown.metadata : undefined;
    this.#failure ??= metadata ? unresolved(metadata.vertex.name, words) : words;
    await (metadata ?? shown?.vertex)?.end(how, at);
  }

  async #lint({ rule, message, page, line, endLine }: LintEvent): Promise<void> {
    const dockerfile = this.#options.dockerfile();
    await this.#options.vertexes.warn({
      short: Buffer.from(`${rule}: ${message} (line ${line})`),
      url: page,
      ...(dockerfile ? placeIn(dockerfile, { line, endLine }) : {}),
    });
  }
}

/** Why there is no image for FROM. */
function unresolved(metadata: string, words: string): string {
  const name = metadata.slice(METADATA.length);
  return `${name}: failed to resolve source metadata for ${name}: ${words}`;
}

/** Names of steps that are shown, numbered in each stage. */
function namesOf(
  shown: readonly StepInfo[],
  stages: number,
  platform: string | undefined,
): ReadonlyMap<StepInfo, string> {
  const byStage = Map.groupBy(shown, ({ stage }) => stage);
  const numbered = [...byStage.values()].flatMap((own) =>
    own.map(
      (step, index) => [step, stepName(step, { index: index + 1, total: own.length, stages, platform })] as const,
    ),
  );
  return new Map(numbered);
}
