import { isNotFound } from '../../client/engine-client.ts';
import { defineCommand } from '../../command.ts';
import { toggle } from '../../flags/flag.ts';
import { forEachName } from '../each.ts';

export const networkRm = defineCommand({
  short: 'Remove one or more networks',
  usage: 'NETWORK [NETWORK...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['network rm', 'network remove'],
  flags: { force: toggle('Do not mind when there is no such network', { short: 'f' }) },
  async run(session, { flags, args }) {
    const client = await session.client();
    return await forEachName(session, args, async (name) => {
      try {
        await client.call('DELETE', `/networks/${name}`, { signal: session.signal });
        return name;
      } catch (error) {
        if (flags.force && isNotFound(error)) return undefined;
        throw error;
      }
    });
  },
});
