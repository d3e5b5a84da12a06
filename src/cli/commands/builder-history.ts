import type { BuildSummary } from '../../wire/build-explain.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { timeAgo } from '../format/human.ts';
import { renderRows } from '../format/rows.ts';

export const builderHistory = defineCommand({
  short: 'List the builds that the host remembers',
  usage: '',
  count: [0, 0],
  flags: { format: tableFormatFlag, quiet: toggle('Show only IDs', { short: 'q' }) },
  async run(session, { flags }) {
    const client = await session.client();
    const builds = await client.json<BuildSummary[]>('GET', '/strake/builds', { signal: session.signal });
    const rows = builds.map((build) => ({
      ID: build.Id,
      Name: build.Tags.join(', '),
      Image: (build.Image ?? '').replace('sha256:', '').slice(0, 12),
      Status: build.Status === 'failed' ? `failed at step ${build.FailedStep}` : build.Status,
      Steps: String(build.Steps),
      Cached: `${build.Cached}/${build.Cached + build.Missed}`,
      Duration: `${(build.Milliseconds / 1000).toFixed(1)}s`,
      CreatedSince: timeAgo(Date.parse(build.Started) / 1000),
    }));
    const titles = {
      ID: 'BUILD ID',
      Name: 'NAME',
      Image: 'IMAGE ID',
      Status: 'STATUS',
      Steps: 'STEPS',
      Cached: 'CACHED',
      Duration: 'DURATION',
      CreatedSince: 'CREATED',
    };
    const columns = Object.keys(titles);
    const text = await renderRows(rows, {
      titles,
      columns,
      format: flags.format,
      quiet: flags.quiet ? 'ID' : undefined,
    });
    session.stdout.write(text);
    return 0;
  },
});
