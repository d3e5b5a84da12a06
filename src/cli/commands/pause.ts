import { type Command, defineCommand } from '../command.ts';
import { forEachName } from './each.ts';

export const pause = pausing('pause', 'Pause all processes of one or more containers');
export const unpause = pausing('unpause', 'Let the processes of one or more containers go on');

function pausing(verb: 'pause' | 'unpause', short: string): Command {
  return defineCommand({
    short,
    usage: 'CONTAINER [CONTAINER...]',
    count: [1, Number.POSITIVE_INFINITY],
    aliases: [`container ${verb}`, verb],
    flags: {},
    async run(session, { args }) {
      const client = await session.client();
      return await forEachName(session, args, async (name) => {
        await client.call('POST', `/containers/${name}/${verb}`, { signal: session.signal });
        return name;
      });
    },
  });
}
