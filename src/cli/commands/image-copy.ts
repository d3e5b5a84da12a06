import { Failure } from '../../lib/error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { familiarReference, parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { copyImage } from '../../remote/copy-image.ts';
import { Registries } from '../../remote/registries.ts';
import { registrySettings } from '../../remote/settings.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { defineCommand } from '../command.ts';
import { keptAuth } from '../credentials/registry-auth.ts';
import { platformFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { progressPrinter } from '../format/progress-lines.ts';
import { insecureFlag } from './registry/connect.ts';

export const imageCopy = defineCommand({
  short: 'Copy an image with all its platforms from registry to registry',
  usage: 'SOURCE[:TAG|@DIGEST] TARGET[:TAG]',
  count: [2, 2],
  flags: {
    insecure: insecureFlag,
    platform: platformFlag,
    quiet: toggle('Show no progress', { short: 'q' }),
    referrers: toggle('Also what refers to the image: signatures, bills of materials'),
  },
  async run(session, { flags, args: [sourceText = '', targetText = ''] }) {
    const source = withDefaultTag(parseReference(sourceText));
    const target = targetOf(parseReference(targetText), source);
    const { signal } = session;
    using registries = new Registries(registrySettings([], flags.insecure));
    const to = await registries.openForPush(target, { auth: await keptAuth(target.registry, session), signal });
    const draw = progressPrinter(session.stdout, { quiet: flags.quiet });
    const options = { auth: await keptAuth(source.registry, session), signal };
    const { digest } = await registries.readFrom(source, options, (from) =>
      copyImage({
        from,
        to,
        sameRegistry: source.registry === target.registry,
        source,
        tag: target.tag,
        platform: flags.platform === '' ? undefined : parsePlatform(flags.platform),
        referrers: flags.referrers,
        emit: async (line: ProgressLine) => draw(line),
        signal,
      }),
    );
    session.stdout.write(`${familiarReference({ ...target, digest })}\n`);
    return 0;
  },
});

/** A target without a tag gets the source's; one of a source by digest alone is known by that. */
function targetOf(target: Reference, source: Reference): Reference {
  if (target.digest !== undefined)
    throw new Failure(
      'invalid',
      'TARGET_INVALID',
      'the target of a copy is a tag, not a digest: the copy keeps its digest',
    );
  return target.tag === undefined && source.digest === undefined ? { ...target, tag: source.tag } : target;
}
