import type { NetworksPruned } from '../../../wire/network.ts';
import { filtersQuery } from '../../client/engine-client.ts';
import { defineCommand } from '../../command.ts';
import { filters } from '../../flags/common.ts';
import { toggle } from '../../flags/flag.ts';
import { confirm } from '../confirm.ts';

export const networkPrune = defineCommand({
  short: 'Remove all networks that nobody uses',
  usage: '',
  count: [0, 0],
  flags: {
    filter: filters('Remove only what matches, as key=value'),
    force: toggle('Do not ask', { short: 'f' }),
  },
  async run(session, { flags }) {
    const warning = 'WARNING! This will remove all custom networks not used by at least one container.';
    if (!flags.force && !(await confirm(session, warning))) return 0;
    const client = await session.client();
    const { NetworksDeleted } = await client.json<NetworksPruned>('POST', '/networks/prune', {
      query: { filters: filtersQuery(flags.filter) },
      signal: session.signal,
    });
    const names = NetworksDeleted ?? [];
    if (names.length > 0) session.stdout.write(`Deleted Networks:\n${names.join('\n')}\n\n`);
    return 0;
  },
});
