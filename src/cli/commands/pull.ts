import { Failure } from '../../lib/error.ts';
import { familiarName, familiarReference, parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { registryAuth } from '../credentials/registry-auth.ts';
import { platformFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { drawProgress } from '../format/progress-lines.ts';
import type { Output, Session } from '../session.ts';

export const pull = defineCommand({
  short: 'Fetch an image from a registry',
  usage: 'NAME[:TAG|@DIGEST]',
  count: [1, 1],
  aliases: ['image pull', 'pull'],
  flags: {
    allTags: toggle('Fetch all tags of the repository', { short: 'a' }),
    platform: platformFlag,
    quiet: toggle('Show no progress', { short: 'q' }),
  },
  async run(session, { flags, args: [name = ''] }) {
    const reference = parseReference(name);
    if (flags.allTags && (reference.tag ?? reference.digest) !== undefined)
      throw new Failure('invalid', 'TAG_AND_ALL', "tag can't be used with --all-tags/-a");
    const wanted = flags.allTags ? reference : withDefaultTag(reference);
    if (!flags.allTags && reference.tag === undefined && reference.digest === undefined && !flags.quiet)
      session.stdout.write(`Using default tag: ${wanted.tag}\n`);
    await pullImage(session, name, { platform: flags.platform, quiet: flags.quiet, allTags: flags.allTags });
    session.stdout.write(`${wanted.registry}/${wanted.path}${suffix(wanted)}\n`);
    return 0;
  },
});

/** Has the host fetch an image; progress goes to `output`. */
export async function pullImage(
  session: Session,
  name: string,
  options: { platform: string; quiet: boolean; allTags?: boolean; output?: Output },
): Promise<void> {
  const client = await session.client();
  const reference = options.allTags === true ? parseReference(name) : withDefaultTag(parseReference(name));
  const answer = await client.request('POST', '/images/create', {
    query: {
      fromImage: familiarName(reference),
      tag: reference.digest ?? reference.tag,
      platform: options.platform || undefined,
    },
    headers: await registryAuth(reference.registry, session),
    signal: session.signal,
  });
  const output = options.output ?? session.stdout;
  await drawProgress(readJsonLines<ProgressLine>(answer.body), output, { quiet: options.quiet });
}

function suffix(reference: ReturnType<typeof parseReference>): string {
  return familiarReference(reference).slice(familiarName(reference).length);
}
