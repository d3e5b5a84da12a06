import type { ContainerInspect } from '../../wire/container.ts';
import { readFrames } from '../client/frames.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';
import { timestampQuery } from '../flags/timestamp.ts';
import { writeAll } from '../session.ts';

export const logs = defineCommand({
  short: 'Show the output of a container',
  usage: 'CONTAINER',
  count: [1, 1],
  aliases: ['container logs', 'logs'],
  flags: {
    details: toggle('Show extra details'),
    follow: toggle('Go on as output comes', { short: 'f' }),
    since: text('Begin at this time (timestamp, or 42m for 42 minutes ago)'),
    tail: text('Number of lines from the end', { short: 'n', initial: 'all', shown: '"all"' }),
    timestamps: toggle('Show the time of each line', { short: 't' }),
    until: text('End at this time'),
  },
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const { signal } = session;
    const { Id, Config } = await client.json<ContainerInspect>('GET', `/containers/${name}/json`, { signal });
    const answer = await client.request('GET', `/containers/${Id}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        details: flags.details || undefined,
        follow: flags.follow || undefined,
        since: timestampQuery(flags.since),
        until: timestampQuery(flags.until),
        tail: flags.tail,
        timestamps: flags.timestamps || undefined,
      },
      signal,
    });
    if (Config.Tty === true) for await (const chunk of answer.body) await writeAll(session.stdout, chunk);
    else for await (const { stream, payload } of readFrames(answer.body)) await writeAll(session[stream], payload);
    return 0;
  },
});
