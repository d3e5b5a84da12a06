import { familiarName, parseReference } from '../../oci/reference.ts';
import { defineCommand } from '../command.ts';
import { list, text, toggle } from '../flags/flag.ts';

export const commit = defineCommand({
  short: "Make an image of a container's changes",
  usage: 'CONTAINER [REPOSITORY[:TAG]]',
  count: [1, 2],
  aliases: ['container commit', 'commit'],
  flags: {
    author: text('Author of the image', { short: 'a' }),
    change: list('Apply a Dockerfile instruction to the image', { short: 'c' }),
    message: text('Message of the history entry', { short: 'm' }),
    pause: toggle('Pause the container meanwhile', { short: 'p', initial: true }),
  },
  async run(session, { flags, args: [container, name] }) {
    const client = await session.client();
    const reference = name === undefined ? undefined : parseReference(name);
    const answer = await client.json<{ Id: string }>('POST', '/commit', {
      query: {
        container,
        repo: reference && familiarName(reference),
        tag: reference?.tag,
        comment: flags.message || undefined,
        author: flags.author || undefined,
        changes: flags.change,
        pause: flags.pause ? undefined : '0',
      },
      json: {},
      signal: session.signal,
    });
    session.stdout.write(`${answer.Id}\n`);
    return 0;
  },
});
