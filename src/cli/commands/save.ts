import { defineCommand } from '../command.ts';
import { platformFlag } from '../flags/common.ts';
import { text } from '../flags/flag.ts';
import { checkArchiveTarget, requestArchive } from './output-file.ts';

export const save = defineCommand({
  short: 'Write images to a tar archive',
  usage: 'IMAGE [IMAGE...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['image save', 'save'],
  flags: {
    output: text('File to write, instead of stdout', { short: 'o' }),
    platform: platformFlag,
  },
  async run(session, { flags, args }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.client();
    const query = { names: args, platform: flags.platform || undefined };
    await requestArchive(session, client, flags.output, { path: '/images/get', query });
    return 0;
  },
});
