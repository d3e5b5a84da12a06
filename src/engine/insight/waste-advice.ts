import type { LayerEntry } from '../../tar/layer-entry.ts';
import type { Change } from '../../tar/stack/path-history.ts';
import type { StepShape } from '../../wire/insight.ts';
import type { WastedFile } from './find-waste.ts';
import { instructionKind } from './instruction.ts';

/** Folders that package managers fill and nothing at run time needs, with the mount that keeps them out of a layer. */
const CACHES: readonly (readonly [folder: string, mounts: string])[] = [
  ['var/lib/apt/lists', '--mount=type=cache,target=/var/lib/apt/lists'],
  ['var/cache/apt', '--mount=type=cache,target=/var/cache/apt'],
  ['var/cache/apk', '--mount=type=cache,target=/var/cache/apk'],
  ['var/cache/dnf', '--mount=type=cache,target=/var/cache/dnf'],
  ['var/cache/yum', '--mount=type=cache,target=/var/cache/yum'],
  ['root/.cache/pip', '--mount=type=cache,target=/root/.cache/pip'],
  ['root/.cache/go-build', '--mount=type=cache,target=/root/.cache/go-build'],
  ['root/.npm', '--mount=type=cache,target=/root/.npm'],
];

export interface WasteContext {
  readonly stored: StepShape;
  readonly by: StepShape;
  /** The bytes are in the image that this one was built from. */
  readonly isBase: boolean;
}

/** The edit of the Dockerfile that would save the bytes of files of one kind and pair of steps. */
export function adviseOn(files: readonly [WastedFile, ...WastedFile[]], context: WasteContext): string {
  const { stored, by, isBase } = context;
  const [{ kind }] = files;
  const makes = instructionKind(stored.CreatedBy);
  const hides = instructionKind(by.CreatedBy);
  const copies = makes === 'COPY' || makes === 'ADD';
  if (kind === 'repeated')
    return hides === 'other' && makes === 'other'
      ? `make a link to what step ${by.Number} has already`
      : `step ${by.Number} has the same content already: make a link to it, or take it from there`;
  if (isBase)
    return kind === 'deleted' || kind === 'moved'
      ? `step ${stored.Number} belongs to the base image: start from a base without these files`
      : `step ${stored.Number} belongs to the base image: make the change there`;
  if (makes === 'other')
    return `make both changes before the layer of step ${stored.Number} is made, or squash from it`;
  switch (kind) {
    case 'deleted':
      return copies ? keepOut(stored, by, hides) : deleteAtOnce(files, stored, by);
    case 'moved':
      return copies
        ? `let step ${stored.Number} copy them to their final place instead of moving them in step ${by.Number}`
        : `move them in step ${stored.Number}, in the same RUN that makes them`;
    case 'attributes':
      if (hides === 'COPY' || hides === 'ADD') return `step ${by.Number} copies the same files again: copy them once`;
      return copies
        ? `let step ${stored.Number} set them: ${attributeFlags(files, makes)}, and drop the change in step ${by.Number}`
        : `change them in step ${stored.Number}, in the same RUN that makes them`;
    case 'replaced':
      if (hides === 'RUN')
        return copies
          ? `change the files before they are copied, or in another stage: COPY --from takes the result`
          : `join step ${by.Number} to step ${stored.Number} with && so that one layer has the result`;
      return copies
        ? `leave these files out of step ${stored.Number}: step ${by.Number} brings them`
        : `let step ${stored.Number} not make these files: step ${by.Number} replaces them`;
  }
}

function keepOut(stored: StepShape, by: StepShape, hides: string): string {
  const mount =
    hides === 'RUN' ? `, or mount them where they are needed: RUN --mount=type=bind in step ${by.Number}` : '';
  return `leave them out of step ${stored.Number} (.dockerignore)${mount}`;
}

function deleteAtOnce(files: readonly WastedFile[], stored: StepShape, by: StepShape): string {
  const cache = CACHES.find(([folder]) => files.every(({ path }) => path.startsWith(`${folder}/`)));
  const mount = cache ? `, or keep them out of every layer with RUN ${cache[1]}` : '';
  return `delete them in step ${stored.Number}, at the end of the RUN that makes them${mount}: step ${by.Number} only hides them`;
}

/** The instruction with the flags that give every file what it has in the end. */
function attributeFlags(files: readonly WastedFile[], instruction: string): string {
  const flag = (change: Change, name: string, shown: (entry: LayerEntry) => string) => {
    const changed = files.flatMap(({ after }) => (after?.changes.includes(change) ? shown(after.entry) : []));
    const values = new Set(changed);
    return values.size === 0 ? '' : ` --${name}=${values.size === 1 ? changed[0] : '...'}`;
  };
  const chown = flag('owner', 'chown', ({ uid, gid }) => `${uid}:${gid}`);
  const chmod = flag('mode', 'chmod', ({ mode }) => mode.toString(8));
  return `${instruction}${chown}${chmod}`;
}
