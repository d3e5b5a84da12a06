import { Failure } from '../../lib/error.ts';
import { historyOf, type PathEvent } from '../../tar/stack/path-history.ts';
import type { BlameRow } from '../../wire/insight.ts';
import type { StackedImage } from './diff-images.ts';
import { resolvePath } from './resolve-path.ts';
import { entryState, shapeAt } from './shapes.ts';

/**
 * Every step that made, changed, repeated, deleted or shadowed a path, oldest first. Symlinks before the last name are
 * followed as the image shows them; a path that it does not show is taken as written. Throws `not-found` when no step
 * ever had it.
 */
export function blamePath({ stack, steps }: StackedImage, text: string): BlameRow[] {
  const { path } = resolvePath(stack, text, 'kept');
  const { events } = historyOf(stack, stack.place(path));
  if (events.length === 0)
    throw new Failure('not-found', 'PATH_NOT_FOUND', `no step of the image made "/${path}"`, {
      hint: 'find where a file is with "strake image find IMAGE NAME-PATTERN"',
    });
  return events.map((event) => ({ ...eventRow(event, path), Path: `/${path}`, Step: shapeAt(steps, event.layer) }));
}

/** What a layer did to `path`, without the step. */
export function eventRow(event: PathEvent, path: string): Omit<BlameRow, 'Path' | 'Step'> {
  switch (event.kind) {
    case 'added':
      return { Kind: 'added', After: entryState(event.after) };
    case 'changed':
      return {
        Kind: event.changes.length === 0 ? 'repeated' : 'changed',
        Changes: [...event.changes],
        Before: entryState(event.before),
        After: entryState(event.after),
      };
    case 'removed':
      return event.by === path
        ? { Kind: 'deleted', Before: entryState(event.before) }
        : { Kind: 'shadowed', Before: entryState(event.before), By: `/${event.by}` };
  }
}
