import { Failure } from '../../lib/error.ts';
import type { VolumeInspect } from '../../wire/volume.ts';
import { filtersQuery, isNotFound } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { filterFlag, filters, tableFormatFlag } from '../flags/common.ts';
import { list, text, toggle } from '../flags/flag.ts';
import { humanSize } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { toMap } from '../run/key-values.ts';
import { confirm } from './confirm.ts';
import { forEachName } from './each.ts';

export const volumeCreate = defineCommand({
  short: 'Create a volume',
  usage: '[VOLUME]',
  count: [0, 1],
  flags: {
    driver: text('Volume driver', { short: 'd', initial: 'local', shown: '"local"' }),
    label: list('Label, as key=value'),
    name: text('Name of the volume', { hidden: true }),
    opt: list('Option of the driver, as key=value', { short: 'o' }),
  },
  async run(session, { flags, args: [argument = ''] }) {
    if (flags.name !== '' && argument !== '')
      throw new Failure(
        'invalid',
        'VOLUME_NAME',
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    const client = await session.client();
    const { Name } = await client.json<VolumeInspect>('POST', '/volumes/create', {
      json: {
        Name: argument || flags.name,
        Driver: flags.driver,
        DriverOpts: toMap(flags.opt),
        Labels: toMap(flags.label),
      },
      signal: session.signal,
    });
    session.stdout.write(`${Name}\n`);
    return 0;
  },
});

export const volumeLs = defineCommand({
  short: 'List volumes',
  usage: '',
  count: [0, 0],
  aliases: ['volume ls', 'volume list'],
  flags: {
    filter: filterFlag,
    format: tableFormatFlag,
    quiet: toggle('Show names only', { short: 'q' }),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const { Volumes } = await client.json<{ Volumes: VolumeInspect[] | null }>('GET', '/volumes', {
      query: { filters: filtersQuery(flags.filter) },
      signal: session.signal,
    });
    const rows = (Volumes ?? []).map(volumeRow);
    session.stdout.write(
      await renderRows(rows, { ...LIST, format: flags.format, quiet: flags.quiet ? 'Name' : undefined }),
    );
    return 0;
  },
});

export const volumePrune = defineCommand({
  short: 'Remove anonymous volumes that no container uses',
  usage: '',
  count: [0, 0],
  flags: {
    all: toggle('Remove all unused volumes, not only anonymous ones', { short: 'a' }),
    filter: filters('Remove only what matches, as key=value'),
    force: toggle('Do not ask', { short: 'f' }),
  },
  async run(session, { flags }) {
    const what = flags.all
      ? 'all local volumes not used by at least one container'
      : 'anonymous local volumes not used by at least one container';
    if (!flags.force && !(await confirm(session, `WARNING! This will remove ${what}.`))) return 0;
    const client = await session.client();
    const wanted = [...flags.filter, ...(flags.all ? ['all=true'] : [])];
    const answer = await client.json<{ VolumesDeleted: string[] | null; SpaceReclaimed: number }>(
      'POST',
      '/volumes/prune',
      { query: { filters: filtersQuery(wanted) }, signal: session.signal },
    );
    const names = answer.VolumesDeleted ?? [];
    if (names.length > 0) session.stdout.write(`Deleted Volumes:\n${names.join('\n')}\n\n`);
    session.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
    return 0;
  },
});

export const volumeRm = defineCommand({
  short: 'Remove one or more volumes',
  usage: 'VOLUME [VOLUME...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['volume rm', 'volume remove'],
  flags: { force: toggle('Do not complain about volumes that do not exist', { short: 'f' }) },
  async run(session, { flags, args }) {
    const client = await session.client();
    return forEachName(session, args, async (name) => {
      try {
        const query = { force: flags.force || undefined };
        await client.call('DELETE', `/volumes/${encodeURIComponent(name)}`, { query, signal: session.signal });
      } catch (error) {
        if (!flags.force || !isNotFound(error)) throw error;
      }
      return name;
    });
  },
});

const LIST = { titles: { Driver: 'DRIVER', Name: 'VOLUME NAME' }, columns: ['Driver', 'Name'] };

function volumeRow(volume: VolumeInspect): Row {
  const labels = volume.Labels ?? {};
  return {
    Name: volume.Name,
    Driver: volume.Driver,
    Mountpoint: volume.Mountpoint,
    Scope: volume.Scope,
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    Label: (name) => labels[String(name)] ?? '',
    Links: 'N/A',
    Size: 'N/A',
    Availability: 'N/A',
    Group: 'N/A',
    Status: 'N/A',
  };
}
