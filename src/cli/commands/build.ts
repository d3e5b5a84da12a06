import { rmSync, writeFileSync } from 'node:fs';
import { Failure } from '../../lib/error.ts';
import { BUILD_HEADER, EVENTS_QUERY, LINT_QUERY } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { BUILD_FLAGS, buildQuery, refuseForDocker } from '../build/build-flags.ts';
import { findBuildSource } from '../build/build-source.ts';
import { printCheck, writeMetadata } from '../build/check-build.ts';
import { EVENT_MODES, followBuild, progressMode } from '../build/follow-build.ts';
import { agentsHeader, secretsHeader } from '../build/lent-flags.ts';
import { checkCacheFolder, fetchCacheFolder, pushBuildCache, sendCacheFolder } from '../build/move-cache.ts';
import { findNamedSource } from '../build/named-source.ts';
import { afterBuild, checkRemembered } from '../build/remembered-build.ts';
import { requestBuild } from '../build/request-build.ts';
import { checkOutputs, writeOutputs } from '../build/write-outputs.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { allRegistryAuth } from '../credentials/registry-auth.ts';

export const build = defineCommand({
  short: 'Build an image from a Dockerfile',
  usage: 'PATH | URL | -',
  count: [1, 1],
  aliases: ['image build', 'build'],
  flags: BUILD_FLAGS,
  async run(session, { flags, args: [where = ''] }) {
    if (flags.iidfile !== '') rmSync(flags.iidfile, { force: true });
    checkOutputs(session, flags.output);
    for (const target of flags.cacheTo) if (target.kind === 'folder') checkCacheFolder(target.path);
    const source = await findBuildSource(where, flags.file, session.stdin);
    const client = await session.client();
    checkRemembered(session, client, flags);
    const isWritten = flags.output.some(({ kind }) => kind !== 'image');
    const output = flags.output.some((one) => one.kind === 'file' && one.path === '-')
      ? session.stderr
      : session.stdout;
    const named = new Map(flags.buildContext.map(findNamedSource));
    const lent = { ...secretsHeader(flags.secret, session.env), ...agentsHeader(flags.ssh, session.env) };
    const isStrake = client.strakeVersion !== undefined;
    if (!isStrake) refuseForDocker(flags);
    const mode = progressMode(flags, session, output, { isStrake });
    const place = { dockerfile: source.dockerfile, remote: source.kind === 'remote' ? source.url : undefined };
    const tellsEvents = flags.check || EVENT_MODES.includes(mode);
    if (!flags.check)
      for (const from of flags.cacheFrom) if (from.kind === 'folder') await sendCacheFolder(session, client, from.path);
    const answer = await requestBuild(session, client, {
      source,
      named,
      query: {
        ...buildQuery({ ...flags, quiet: mode === 'quiet' }, place, session.env),
        ...(tellsEvents && { [EVENTS_QUERY]: '1' }),
        ...(isStrake && mode !== 'quiet' && { [LINT_QUERY]: '1' }),
      },
      headers: { ...(await allRegistryAuth(session)), ...lent },
      compress: flags.compress,
      report: mode === 'quiet' || mode === 'rawjson' || flags.check ? undefined : output,
    });
    const lines = readJsonLines<ProgressLine>(answer.body);
    if (flags.check) return await printCheck(lines, output);
    let image: string | undefined;
    // What programs read stays as they expect it.
    const after = { ...flags, output: mode === 'quiet' || mode === 'rawjson' ? session.stderr : output };
    try {
      image = await followBuild(session, output, lines, mode);
    } catch (error) {
      await afterBuild(session, client, answer, { ...after, error });
      throw error;
    }
    await afterBuild(session, client, answer, { ...after, error: undefined });
    if (image === undefined) {
      if (flags.iidfile !== '' || flags.metadataFile !== '' || isWritten)
        throw new Failure('internal', 'NO_IMAGE_ID', 'the host did not tell the image ID');
      return 0;
    }
    if (flags.iidfile !== '') writeFileSync(flags.iidfile, image);
    if (flags.metadataFile !== '') writeMetadata(flags.metadataFile, { image, names: flags.tag });
    const built = answer.headers.get(BUILD_HEADER) ?? image;
    for (const target of flags.cacheTo)
      if (target.kind === 'folder') await fetchCacheFolder(session, client, built, target);
      else if (target.kind === 'registry') await pushBuildCache(session, client, built, target);
    await writeOutputs(session, client, flags.output, { image, names: flags.tag });
    return 0;
  },
});
