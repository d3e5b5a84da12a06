import type { ImagesPruned } from '../../wire/image.ts';
import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filters } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { confirm } from './confirm.ts';
import { deletedLine } from './rmi.ts';

export const imagePrune = defineCommand({
  short: 'Remove unused images',
  usage: '',
  count: [0, 0],
  flags: {
    all: toggle('Remove every image that no container uses, not only dangling ones', { short: 'a' }),
    filter: filters('Remove only what matches, as key=value'),
    force: toggle('Do not ask', { short: 'f' }),
  },
  async run(session, { flags }) {
    const what = flags.all ? 'all images without at least one container associated to them' : 'all dangling images';
    if (!flags.force && !(await confirm(session, `WARNING! This will remove ${what}.`))) return 0;
    const client = await session.client();
    const wanted = filtersQuery([...flags.filter, `dangling=${!flags.all}`]);
    const answer = await client.json<ImagesPruned>('POST', '/images/prune', {
      query: { filters: wanted },
      signal: session.signal,
    });
    const rows = answer.ImagesDeleted ?? [];
    if (rows.length > 0)
      session.stdout.write(`Deleted Images:\n${rows.map((row) => `${deletedLine(row).toLowerCase()}\n`).join('')}\n`);
    session.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
    return 0;
  },
});
