import { type Command, defineCommand } from '../command.ts';
import { integer, text } from '../flags/flag.ts';
import { forEachName } from './each.ts';

export const stop = stopping('stop', 'Stop one or more running containers');
export const restart = stopping('restart', 'Restart one or more containers');

function stopping(verb: 'stop' | 'restart', short: string): Command {
  return defineCommand({
    short,
    usage: 'CONTAINER [CONTAINER...]',
    count: [1, Number.POSITIVE_INFINITY],
    aliases: [`container ${verb}`, verb],
    flags: {
      signal: text('Signal to send', { short: 's' }),
      timeout: integer('Seconds to wait before killing the container', { short: 't' }),
      time: integer('Seconds to wait before killing the container', { hidden: true }),
    },
    async run(session, { flags, given, args }) {
      const client = await session.client();
      const seconds = given.has('timeout') ? flags.timeout : given.has('time') ? flags.time : undefined;
      const query = { signal: flags.signal || undefined, t: seconds };
      return await forEachName(session, args, async (name) => {
        await client.call('POST', `/containers/${name}/${verb}`, { query, signal: session.signal });
        return name;
      });
    },
  });
}
