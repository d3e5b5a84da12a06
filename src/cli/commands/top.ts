import { defineCommand } from '../command.ts';
import { alignTabs } from '../format/tabwriter.ts';

export const top = defineCommand({
  short: 'Show the running processes of a container',
  usage: 'CONTAINER [ps OPTIONS]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container top', 'top'],
  interspersed: false,
  flags: {},
  async run(session, { args: [name = '', ...psArgs] }) {
    const client = await session.client();
    const answer = await client.json<{ Titles: string[]; Processes: string[][] | null }>(
      'GET',
      `/containers/${name}/top`,
      { query: { ps_args: psArgs.length === 0 ? undefined : psArgs.join(' ') }, signal: session.signal },
    );
    const lines = [answer.Titles, ...(answer.Processes ?? [])].map((cells) => `${cells.join('\t')}\n`);
    session.stdout.write(alignTabs(lines.join(''), { minWidth: 20, padding: 3 }));
    return 0;
  },
});
