import { familiarName, parseReference } from '../../oci/reference.ts';
import type { RewrittenImage } from '../../wire/insight.ts';
import type { Query } from '../client/engine-client.ts';
import { imageRoute, strakeHost } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { integer, text } from '../flags/flag.ts';
import type { Session } from '../session.ts';

const tagFlag = text('Name of the new image: NAME[:TAG]', { short: 't' });

export const imageFlatten = defineCommand({
  short: 'Make an image with the same files in one layer',
  usage: 'IMAGE',
  count: [1, 1],
  flags: { tag: tagFlag },
  run: (session, { flags, args: [image = ''] }) => rewrite(session, imageRoute(image, 'flatten'), flags.tag, {}),
});

export const imageSquash = defineCommand({
  short: 'Make an image with one layer in place of those of a step and all above it',
  usage: '--from STEP IMAGE',
  count: [1, 1],
  flags: {
    from: integer('First step of the new layer, as blame and waste number them', { initial: 1, shown: '1' }),
    tag: tagFlag,
  },
  run: (session, { flags, args: [image = ''] }) =>
    rewrite(session, imageRoute(image, 'squash'), flags.tag, { from: flags.from }),
});

export const imageRebase = defineCommand({
  short: 'Make an image with the same layers on another base',
  usage: '--onto IMAGE IMAGE',
  count: [1, 1],
  flags: {
    from: text('The old base, when the host cannot tell it'),
    onto: text('The new base'),
    tag: tagFlag,
  },
  async run(session, { flags, args: [image = ''], path }) {
    if (flags.onto === '') {
      session.stderr.write(`strake: 'strake ${path}' needs the new base: --onto IMAGE\n`);
      return 1;
    }
    const query = { onto: flags.onto, from: flags.from || undefined };
    return rewrite(session, imageRoute(image, 'rebase'), flags.tag, query);
  },
});

async function rewrite(session: Session, path: string, name: string, query: Query): Promise<number> {
  const target = name === '' ? undefined : parseReference(name);
  const client = await strakeHost(session);
  const answer = await client.json<RewrittenImage>('POST', path, {
    query: { ...query, repo: target && familiarName(target), tag: target?.tag },
    signal: session.signal,
  });
  for (const warning of answer.Warnings) session.stderr.write(`WARNING: ${warning}\n`);
  session.stdout.write(`${answer.Id}\n`);
  return 0;
}
