import { Failure, isFailure } from '../../lib/error.ts';
import { defineCommand } from '../command.ts';

export const rename = defineCommand({
  short: 'Rename a container',
  usage: 'CONTAINER NEW_NAME',
  count: [2, 2],
  aliases: ['container rename', 'rename'],
  flags: {},
  async run(session, { args: [container = '', name = ''] }) {
    const client = await session.client();
    try {
      await client.call('POST', `/containers/${container}/rename`, { query: { name }, signal: session.signal });
    } catch (error) {
      if (!isFailure(error) || error.kind === 'cancelled') throw error;
      const message = `${error.message}\nError: failed to rename container named ${container}`;
      throw new Failure(error.kind, error.code, message, { cause: error });
    }
    return 0;
  },
});
