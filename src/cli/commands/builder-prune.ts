import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filters } from '../flags/common.ts';
import { bytes, toggle } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { confirm } from './confirm.ts';

export const builderPrune = defineCommand({
  short: 'Remove build cache',
  usage: '',
  count: [0, 0],
  flags: {
    all: toggle('Also what images and containers have, and steps without files', { short: 'a' }),
    filter: filters("Remove only what matches: 'until=24h', 'type=exec.cachemount', 'id=', 'description='"),
    force: toggle('Do not ask', { short: 'f' }),
    keepStorage: bytes('Bytes to keep; what was used last stays'),
    maxUsedSpace: bytes('Most that may stay'),
    minFreeSpace: bytes('Free bytes on the disk to aim for'),
    reservedSpace: bytes('Bytes that always stay'),
  },
  async run(session, { flags }) {
    const what = flags.all ? 'all build cache' : 'all dangling build cache';
    if (!flags.force && !(await confirm(session, `WARNING! This will remove ${what}.`))) return 0;
    const client = await session.client();
    const query = {
      all: flags.all || undefined,
      'keep-storage': flags.keepStorage || undefined,
      'max-used-space': flags.maxUsedSpace || undefined,
      'min-free-space': flags.minFreeSpace || undefined,
      'reserved-space': flags.reservedSpace || undefined,
      filters: filtersQuery(flags.filter),
    };
    const answer = await client.json<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>(
      'POST',
      '/build/prune',
      { query, signal: session.signal },
    );
    const deleted = answer.CachesDeleted ?? [];
    if (deleted.length > 0) session.stdout.write(`Deleted build cache objects:\n${deleted.join('\n')}\n\n`);
    session.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
    return 0;
  },
});
