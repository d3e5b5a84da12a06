import { defineCommand } from '../command.ts';

export const rename = defineCommand({
  short: 'Rename a container',
  usage: 'CONTAINER NEW_NAME',
  count: [2, 2],
  aliases: ['container rename', 'rename'],
  flags: {},
  async run(session, { args: [container = '', name = ''] }) {
    const client = await session.client();
    await client.call('POST', `/containers/${container}/rename`, { query: { name }, signal: session.signal });
    return 0;
  },
});
