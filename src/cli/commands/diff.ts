import { defineCommand } from '../command.ts';

export const diff = defineCommand({
  short: 'Show what a container changed in its file system',
  usage: 'CONTAINER',
  count: [1, 1],
  aliases: ['container diff', 'diff'],
  flags: {},
  async run(session, { args: [name = ''] }) {
    const client = await session.client();
    const changes = await client.json<{ Path: string; Kind: number }[] | null>('GET', `/containers/${name}/changes`, {
      signal: session.signal,
    });
    session.stdout.write((changes ?? []).map(({ Path, Kind }) => `${'CAD'[Kind] ?? '?'} ${Path}\n`).join(''));
    return 0;
  },
});
