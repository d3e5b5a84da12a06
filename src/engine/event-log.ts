import { EventEmitter } from 'node:events';
import { Failure } from '../lib/error.ts';
import { timerDelay } from '../lib/timer-delay.ts';
import type { Filters } from '../wire/filters.ts';
import type { EventMessage } from '../wire/system.ts';

export interface EventSubject {
  readonly type: EventMessage['Type'];
  readonly action: string;
  readonly id: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface EventQuery {
  readonly filters: Filters;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  readonly signal: AbortSignal;
}

/** As many as Docker keeps. */
const KEPT = 256;
/** Events that one reader may have before it. */
const WAITING = 10_000;
/** Timers may be a moment early by the clock. */
const TIMER_SLACK_MS = 100;
const TOO_SLOW = `the reader of events is too slow: ${WAITING} were waiting for it, and more came`;

/** What happened on this host: the last 256 events, and new ones as they come. */
export class EventLog {
  readonly #emitter = new EventEmitter();
  readonly #recent: EventMessage[] = [];

  constructor() {
    this.#emitter.setMaxListeners(0);
  }

  emit(subject: EventSubject): void {
    const now = Date.now();
    const event: EventMessage = {
      Type: subject.type,
      Action: subject.action,
      Actor: { ID: subject.id, Attributes: { ...subject.attributes } },
      scope: 'local',
      time: Math.floor(now / 1000),
      timeNano: now * 1_000_000,
    };
    if (subject.type === 'container' || subject.type === 'image') {
      event.status = subject.action;
      event.id = subject.id;
      const from = subject.attributes?.['image'];
      if (subject.type === 'container' && from !== undefined) event.from = from;
    }
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent.shift();
    this.#emitter.emit('event', event);
  }

  /**
   * Past events from `since` on, then new ones until `until` or abort. Without `since` only new ones. A reader that lags
   * too far behind gets a Failure of kind `exhausted` when it comes there: events would be missing.
   */
  async *read({ filters, since, until, signal }: EventQuery): AsyncGenerator<EventMessage> {
    const past = since === undefined ? [] : this.#recent.filter((event) => event.timeNano / 1e6 >= since);
    const waiting = past.filter((event) => matches(event, filters));
    let missed = false;
    let change = Promise.withResolvers<void>();
    const onEvent = (event: EventMessage) => {
      if (!matches(event, filters)) return;
      missed ||= waiting.length >= WAITING;
      if (!missed) waiting.push(event);
      change.resolve();
    };
    let over = until !== undefined && Date.now() >= until;
    const stop = () => {
      over = until !== undefined && Date.now() >= until - TIMER_SLACK_MS;
      change.resolve();
    };
    const alarm = until === undefined ? undefined : setTimeout(stop, timerDelay(until - Date.now()));
    this.#emitter.on('event', onEvent);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const event = waiting.shift();
        if (event && until !== undefined && event.timeNano / 1e6 > until) return;
        if (event) yield event;
        else if (missed) throw new Failure('exhausted', 'EVENTS_MISSED', TOO_SLOW);
        else if (over) return;
        else await change.promise;
        if (waiting.length === 0 && !missed) change = Promise.withResolvers();
      }
    } finally {
      clearTimeout(alarm);
      this.#emitter.off('event', onEvent);
      signal.removeEventListener('abort', stop);
    }
  }
}

function matches(event: EventMessage, filters: Filters): boolean {
  const attributes = event.Actor.Attributes;
  return Object.entries(filters).every(([key, values]) => {
    if (values.length === 0) return true;
    switch (key) {
      case 'type':
        return values.includes(event.Type);
      case 'event':
        return values.some((value) => event.Action === value || event.Action.startsWith(`${value}:`));
      case 'label':
        return values.every((value) => {
          const [name = '', wanted] = splitOnce(value);
          return name in attributes && (wanted === undefined || attributes[name] === wanted);
        });
      case 'scope':
        return values.includes(event.scope);
      case 'image':
        return values.some((value) =>
          [event.Actor.ID, attributes['name'], attributes['image']].some(
            (image) => image === value || image?.replace(/:[^:/]*$/, '') === value,
          ),
        );
      default:
        // container, network, volume, ...: the subject's type, with the beginning of its ID or name, as in Docker
        return (
          event.Type === key && values.some((v) => [event.Actor.ID, attributes['name']].some((id) => id?.startsWith(v)))
        );
    }
  });
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
