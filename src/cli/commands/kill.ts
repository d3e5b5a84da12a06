import { defineCommand } from '../command.ts';
import { text } from '../flags/flag.ts';
import { forEachName } from './each.ts';

export const kill = defineCommand({
  short: 'Kill one or more running containers',
  usage: 'CONTAINER [CONTAINER...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container kill', 'kill'],
  flags: { signal: text('Signal to send', { short: 's' }) },
  async run(session, { flags, args }) {
    const client = await session.client();
    return await forEachName(session, args, async (name) => {
      const query = { signal: flags.signal || undefined };
      await client.call('POST', `/containers/${name}/kill`, { query, signal: session.signal });
      return name;
    });
  },
});
