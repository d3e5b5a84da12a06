import type { DeletedRow } from '../../wire/image.ts';
import { isNotFound } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { toggle } from '../flags/flag.ts';
import { forEachName } from './each.ts';

export const rmi = defineCommand({
  short: 'Remove one or more images',
  usage: 'IMAGE [IMAGE...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['image rm', 'image remove', 'rmi'],
  flags: {
    force: toggle('Remove even when containers use the image', { short: 'f' }),
    noPrune: toggle('Keep untagged parents'),
  },
  async run(session, { flags, args }) {
    const client = await session.client();
    let onlyMissing = true;
    const exitCode = await forEachName(session, args, async (name) => {
      try {
        const query = { force: flags.force || undefined, noprune: flags.noPrune || undefined };
        const rows = await client.json<DeletedRow[]>('DELETE', `/images/${name}`, { query, signal: session.signal });
        return rows.map(deletedLine).join('\n') || undefined;
      } catch (error) {
        if (!isNotFound(error)) onlyMissing = false;
        throw error;
      }
    });
    return flags.force && onlyMissing ? 0 : exitCode;
  },
});

/** `Untagged: x:1` or `Deleted: sha256:...` */
export function deletedLine(row: DeletedRow): string {
  return 'Deleted' in row ? `Deleted: ${row.Deleted}` : `Untagged: ${row.Untagged}`;
}
