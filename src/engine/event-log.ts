import { EventEmitter, on } from 'node:events';
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

  /** Past events from `since` on, then new ones until `until` or abort. Without `since` only new ones. */
  async *read(query: EventQuery): AsyncGenerator<EventMessage> {
    const wanted = (event: EventMessage) => matches(event, query.filters);
    const timer = new AbortController();
    const signal = AbortSignal.any([query.signal, timer.signal]);
    const live = on(this.#emitter, 'event', { signal });
    let alarm: NodeJS.Timeout | undefined;
    try {
      const since = query.since;
      const past = since === undefined ? [] : this.#recent.filter((event) => event.timeNano / 1e6 >= since);
      for (const event of past) {
        if (query.until !== undefined && event.timeNano / 1e6 > query.until) return;
        if (wanted(event)) yield event;
      }
      if (query.until !== undefined) alarm = setTimeout(() => timer.abort(), Math.max(0, query.until - Date.now()));
      for await (const [event] of live) if (wanted(event)) yield event;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(alarm);
      await live.return?.();
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
        return values.some((value) => [event.Actor.ID, attributes['name'], attributes['image']].includes(value));
      default:
        // container, network, volume, ...: the subject's type, with its ID, an ID prefix or its name
        return event.Type === key && values.some((v) => event.Actor.ID.startsWith(v) || attributes['name'] === v);
    }
  });
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
