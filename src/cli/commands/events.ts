import type { EventMessage } from '../../wire/system.ts';
import { filtersQuery } from '../client/engine-client.ts';
import { readLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { filterFlag, objectFormatFlag } from '../flags/common.ts';
import { text } from '../flags/flag.ts';
import { timestampQuery } from '../flags/timestamp.ts';
import { rfc3339Nano } from '../format/human.ts';
import { compileTemplate } from '../gotemplate/evaluate.ts';

export const events = defineCommand({
  short: 'Show what happens on the host, as it happens',
  usage: '',
  count: [0, 0],
  aliases: ['system events', 'events'],
  flags: {
    filter: filterFlag,
    format: { ...objectFormatFlag, short: undefined },
    since: text('Begin with the events of this time (timestamp, or 42m for 42 minutes ago)'),
    until: text('Show events up to this time, then end'),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const answer = await client.request('GET', '/events', {
      query: {
        since: timestampQuery(flags.since),
        until: timestampQuery(flags.until),
        filters: filtersQuery(flags.filter),
      },
      signal: session.signal,
    });
    const print = flags.format === '' || flags.format === 'json' ? undefined : compileTemplate(flags.format);
    for await (const line of readLines(answer.body)) {
      if (flags.format === 'json') session.stdout.write(`${line}\n`);
      else session.stdout.write(`${print ? print(exactJson(line)) : eventText(exactJson(line))}\n`);
    }
    return 0;
  },
});

/** `timeNano` has more digits than a JavaScript number holds. */
function exactJson(line: string) {
  return JSON.parse(line, (key, value, context?: { source?: string }) =>
    key === 'timeNano' && context?.source !== undefined ? BigInt(context.source) : value,
  );
}

/** `2026-11-21T12:56:40.123456789Z container create <id> (image=x, name=y)` */
export function eventText(event: Omit<EventMessage, 'timeNano'> & { timeNano: number | bigint }): string {
  const time = rfc3339Nano(BigInt(event.timeNano || event.time * 1e9));
  const attributes = Object.entries(event.Actor?.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const shown = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  return `${time} ${event.Type} ${event.Action} ${event.Actor?.ID ?? ''}${shown}`;
}
