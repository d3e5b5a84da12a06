import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filters } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { confirm } from './confirm.ts';

export const containerPrune = defineCommand({
  short: 'Remove all stopped containers',
  usage: '',
  count: [0, 0],
  flags: {
    filter: filters('Remove only what matches, as key=value'),
    force: toggle('Do not ask', { short: 'f' }),
  },
  async run(session, { flags }) {
    if (!flags.force && !(await confirm(session, 'WARNING! This will remove all stopped containers.'))) return 0;
    const client = await session.client();
    const answer = await client.json<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>(
      'POST',
      '/containers/prune',
      { query: { filters: filtersQuery(flags.filter) }, signal: session.signal },
    );
    const ids = answer.ContainersDeleted ?? [];
    if (ids.length > 0) session.stdout.write(`Deleted Containers:\n${ids.join('\n')}\n\n`);
    session.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
    return 0;
  },
});
