import { isNotFound } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { toggle } from '../flags/flag.ts';
import { forEachName } from './each.ts';

export const rm = defineCommand({
  short: 'Remove one or more containers',
  usage: 'CONTAINER [CONTAINER...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container rm', 'container remove', 'rm'],
  flags: {
    force: toggle('Remove a running container too (uses SIGKILL)', { short: 'f' }),
    link: toggle('Remove the link of that name', { short: 'l' }),
    volumes: toggle('Remove the anonymous volumes of the container', { short: 'v' }),
  },
  async run(session, { flags, args }) {
    const client = await session.client();
    const query = {
      force: flags.force || undefined,
      link: flags.link || undefined,
      v: flags.volumes || undefined,
    };
    let onlyMissing = true;
    const exitCode = await forEachName(session, args, async (name) => {
      try {
        await client.call('DELETE', `/containers/${name.replace(/^\/+/, '')}`, { query, signal: session.signal });
        return name;
      } catch (error) {
        if (!isNotFound(error)) onlyMissing = false;
        throw error;
      }
    });
    return flags.force && onlyMissing ? 0 : exitCode;
  },
});
