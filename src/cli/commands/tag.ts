import { Failure, messageOf } from '../../lib/error.ts';
import { familiarName, parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { defineCommand } from '../command.ts';

export const tag = defineCommand({
  short: 'Give an image another name',
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  count: [2, 2],
  aliases: ['image tag', 'tag'],
  flags: {},
  async run(session, { args: [source = '', target = ''] }) {
    const client = await session.client();
    const reference = parseTarget(target);
    const query = { repo: familiarName(reference), tag: reference.tag };
    await client.call('POST', `/images/${source}/tag`, { query, signal: session.signal });
    return 0;
  },
});

function parseTarget(target: string): Reference {
  try {
    return withDefaultTag(parseReference(target));
  } catch (error) {
    const message = `Error parsing reference: "${target}" is not a valid repository/tag: ${messageOf(error)}`;
    throw new Failure('invalid', 'REFERENCE_INVALID', message, { cause: error });
  }
}
