import type { CacheChange, CacheMiss } from '../../wire/build-explain.ts';
import { type BaseRecord, type BuildRecord, type StepRecord, sameStage } from './build-record.ts';
import { type ComparedKey, compareKeys, componentOf } from './compare-keys.ts';
import { alignedSteps, type EarlierKey, nearestKey } from './nearest-key.ts';

export interface MissedKey extends ComparedKey {
  readonly digest: string;
}

export interface ExplainContext {
  /** The build so far; `step` is one of its steps. */
  readonly build: BuildRecord;
  readonly step: StepRecord;
  /** Earlier builds of the same thing, newest first. */
  readonly past: readonly BuildRecord[];
  /** What the cache has of the same instruction, whoever built it. */
  readonly alike: readonly EarlierKey[];
  readonly noCache: boolean;
}

/** Says why the cache had nothing under a key. */
export function explainMiss(key: MissedKey, context: ExplainContext): CacheMiss {
  if (context.noCache) return { Cause: 'no-cache', Changes: [] };
  const earlier = [...context.past.flatMap((build) => earlierKeys(build, context)), ...context.alike];
  const same = earlier.find(({ digest }) => digest === key.digest);
  if (same) {
    const hasFailed = same.place !== undefined && same.place.key.result === undefined;
    return { Cause: hasFailed ? 'failed' : 'removed', Changes: [], ...comparedWith(same) };
  }
  const nearest = nearestKey(key, earlier);
  const missedBelow = missedBefore(key, context);
  const follows = missedBelow ? { Follows: missedBelow.index + 1 } : {};
  if (!nearest) return { Cause: 'first', Changes: [], ...follows };
  const changes = compareKeys(nearest, key);
  const base = missedBelow ? undefined : baseChange(key, nearest, context);
  if (base) changes.push(base);
  return {
    Cause: changes.length === 0 && missedBelow ? 'follows' : 'changed',
    ...(isOtherBase(key, nearest) ? follows : {}),
    Changes: changes,
    ...comparedWith(nearest),
  };
}

function earlierKeys(build: BuildRecord, { build: current, step }: ExplainContext): EarlierKey[] {
  return alignedSteps(current.steps, step, build.steps).flatMap((place) =>
    place.keys.map((key) => ({
      site: key.site,
      components: key.components,
      digest: key.digest,
      at: build.started,
      place: { build, step: place, key },
    })),
  );
}

function comparedWith({ place, at }: EarlierKey): Pick<CacheMiss, 'Compared'> {
  const At = new Date(at).toISOString();
  return { Compared: place ? { Build: place.build.id, Step: place.step.index + 1, At } : { At } };
}

/**
 * The step that missed and because of which the key stands on something new: the one that made it, or, when that is a COPY
 * --link from the cache, the last one below.
 */
function missedBefore(key: ComparedKey, { build, step }: ExplainContext): StepRecord | undefined {
  const base = componentOf(key, 'base');
  const producer = build.steps.find(({ keys }) => keys.some(({ result }) => result === base));
  const made = producer?.keys.find(({ result }) => result === base);
  if (!producer || !made?.cached) return producer;
  if (componentOf(made, 'base') !== undefined) return undefined;
  return build.steps.findLast(
    (other) => other.index < step.index && sameStage(other, producer) && other.keys.some(({ cached }) => !cached),
  );
}

function isOtherBase(a: ComparedKey, b: ComparedKey): boolean {
  return componentOf(a, 'base') !== componentOf(b, 'base');
}

/** Another base image, or other instructions before this one although none of them missed. */
function baseChange(key: ComparedKey, earlier: EarlierKey, context: ExplainContext): CacheChange | undefined {
  if (!isOtherBase(key, earlier)) return undefined;
  const builds = [...(earlier.place ? [earlier.place.build] : []), ...context.past];
  const now = madeBy(componentOf(key, 'base'), [context.build]);
  const then = madeBy(componentOf(earlier, 'base'), builds);
  if (now?.base && then?.base)
    return { What: 'base', Name: now.base.name, Before: imageText(then.base), After: imageText(now.base) };
  if (now?.base && !then) return { What: 'base', Name: now.base.name, After: imageText(now.base) };
  return {
    What: 'previous',
    ...(then ? { Before: then.text } : {}),
    ...(now ? { After: now.text } : {}),
  };
}

function imageText({ name, image }: BaseRecord): string {
  return image === '' ? name : `${name} (${image.slice(0, 'sha256:'.length + 12)})`;
}

/** The step, a FROM or one that worked on files, whose result this is. */
function madeBy(
  result: string | undefined,
  builds: readonly BuildRecord[],
): { text: string; base: BaseRecord | undefined } | undefined {
  for (const { steps } of builds)
    for (const step of steps) {
      if (step.base?.result === result) return { text: step.text, base: step.base };
      const key = step.keys.find((made) => made.result === result);
      if (key) return { text: key.site, base: undefined };
    }
  return undefined;
}
