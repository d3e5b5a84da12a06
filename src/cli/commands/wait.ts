import { defineCommand } from '../command.ts';
import { forEachName } from './each.ts';

export const wait = defineCommand({
  short: 'Wait until containers stop, then print their exit codes',
  usage: 'CONTAINER [CONTAINER...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container wait', 'wait'],
  flags: {},
  async run(session, { args }) {
    const client = await session.client();
    return await forEachName(session, args, async (name) => {
      const answer = await client.json<{ StatusCode: number }>('POST', `/containers/${name}/wait`, {
        signal: session.signal,
      });
      return String(answer.StatusCode);
    });
  },
});
