import { Failure } from '../../lib/error.ts';
import { familiarName, parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import { platformFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { drawProgress } from '../format/progress-lines.ts';

export const push = defineCommand({
  short: 'Send an image to a registry',
  usage: 'NAME[:TAG]',
  count: [1, 1],
  aliases: ['image push', 'push'],
  flags: {
    allTags: toggle('Send all tags of the repository', { short: 'a' }),
    platform: platformFlag,
    quiet: toggle('Show no progress', { short: 'q' }),
  },
  async run(session, { flags, args: [name = ''] }) {
    const reference = parseReference(name);
    if (flags.allTags && reference.tag !== undefined)
      throw new Failure('invalid', 'TAG_AND_ALL', "tag can't be used with --all-tags/-a");
    if (reference.digest !== undefined)
      throw new Failure('invalid', 'PUSH_DIGEST', 'cannot push a digest reference', {
        hint: `give it a tag first: strake tag ${name} ${familiarName(reference)}:TAG`,
      });
    const wanted = flags.allTags ? reference : withDefaultTag(reference);
    if (!flags.allTags && reference.tag === undefined && !flags.quiet)
      session.stdout.write(`Using default tag: ${wanted.tag}\n`);
    const client = await session.client();
    const answer = await client.request('POST', `/images/${familiarName(wanted)}/push`, {
      query: { tag: wanted.tag, platform: flags.platform || undefined },
      headers: { 'X-Registry-Auth': 'e30=', ...(await registryAuth(reference.registry, session)) },
      signal: session.signal,
    });
    await drawProgress(readJsonLines<ProgressLine>(answer.body), session.stdout, { quiet: flags.quiet });
    if (flags.quiet) session.stdout.write(`${wanted.registry}/${wanted.path}:${wanted.tag ?? ''}\n`);
    return 0;
  },
});
