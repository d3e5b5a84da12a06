import { defineCommand } from '../command.ts';
import { text } from '../flags/flag.ts';
import { checkArchiveTarget, writeArchive } from './output-file.ts';

export const exportContainer = defineCommand({
  short: "Write a container's file system to a tar archive",
  usage: 'CONTAINER',
  count: [1, 1],
  aliases: ['container export', 'export'],
  flags: { output: text('File to write, instead of stdout', { short: 'o' }) },
  async run(session, { flags, args: [name = ''] }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.client();
    const answer = await client.request('GET', `/containers/${name}/export`, { signal: session.signal });
    await writeArchive(session, flags.output, answer.body);
    return 0;
  },
});
