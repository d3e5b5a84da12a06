import type { EventMessage } from '../../wire/system.ts';

/** An event with the fields of its first form, which API versions before 1.52 have for containers and images. */
export function shapeEvent(event: EventMessage): EventMessage {
  if (event.Type !== 'container' && event.Type !== 'image') return event;
  const from = event.Type === 'container' ? event.Actor.Attributes['image'] : undefined;
  return { status: event.Action, id: event.Actor.ID, ...(from === undefined ? {} : { from }), ...event };
}
