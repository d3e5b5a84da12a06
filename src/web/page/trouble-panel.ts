import { make } from './element.ts';
import { visible } from './text.ts';
import { Trouble } from './trouble.ts';

/** Says what went wrong and what can be done about it. */
export function sayTrouble(error: unknown, ...actions: Element[]): HTMLElement {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Trouble ? error.hint : undefined;
  return make(
    'div',
    { class: 'trouble', role: 'alert' },
    make('p', {}, visible(message)),
    hint === undefined ? undefined : make('p', { class: 'quiet' }, visible(hint)),
    actions.length === 0 ? undefined : make('p', {}, actions),
  );
}
