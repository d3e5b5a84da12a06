import { filtersQuery } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import { filterFlag, tableFormatFlag } from '../flags/common.ts';
import { integer, toggle } from '../flags/flag.ts';
import { renderRows } from '../format/rows.ts';
import { ellipsis } from '../format/words.ts';

export const search = defineCommand({
  short: 'Look for images in a registry',
  usage: 'TERM',
  count: [1, 1],
  flags: {
    filter: filterFlag,
    format: tableFormatFlag,
    limit: integer('Number of results at most'),
    noTrunc: toggle('Show complete descriptions'),
  },
  async run(session, { flags, args: [term = ''] }) {
    const client = await session.client();
    const results = await client.json<
      { name: string; description: string; star_count: number; is_official: boolean; is_automated: boolean }[]
    >('GET', '/images/search', {
      query: { term, limit: flags.limit > 0 ? flags.limit : undefined, filters: filtersQuery(flags.filter) },
      headers: await registryAuth(registryOf(term), session),
      signal: session.signal,
    });
    const rows = results.map((result) => {
      const description = result.description.replace(/[\r\n]/g, ' ');
      return {
        Name: result.name,
        Description: flags.noTrunc ? description : ellipsis(description, 45),
        StarCount: String(result.star_count),
        IsOfficial: result.is_official ? '[OK]' : '',
        IsAutomated: result.is_automated ? '[OK]' : '',
      };
    });
    const titles = {
      Name: 'NAME',
      Description: 'DESCRIPTION',
      StarCount: 'STARS',
      IsOfficial: 'OFFICIAL',
      IsAutomated: 'AUTOMATED',
    };
    const columns = ['Name', 'Description', 'StarCount', 'IsOfficial'];
    session.stdout.write(await renderRows(rows, { titles, columns, format: flags.format }));
    return 0;
  },
});

/** A term may begin with the registry that is meant. */
function registryOf(term: string): string {
  const [first = '', ...rest] = term.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : '';
}
