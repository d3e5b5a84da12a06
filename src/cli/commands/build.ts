import { rmSync, writeFileSync } from 'node:fs';
import { Failure, isFailure } from '../../lib/error.ts';
import { type BuildEvent, CONTEXT_HEADER, EVENT_LINE_ID, EVENTS_QUERY } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { BUILD_FLAGS, type BuildFlags, buildQuery } from '../build/build-flags.ts';
import { type BuildSource, findBuildSource } from '../build/build-source.ts';
import { LiveView } from '../build/live-view.ts';
import { sentContext } from '../build/send-context.ts';
import { checkOutputs, writeOutputs } from '../build/write-outputs.ts';
import type { Answer, EngineClient, Query } from '../client/engine-client.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { allRegistryAuth } from '../credentials/registry-auth.ts';
import { drawProgress, lineFailure } from '../format/progress-lines.ts';
import type { Output, Session } from '../session.ts';

export const build = defineCommand({
  short: 'Build an image from a Dockerfile',
  usage: 'PATH | URL | -',
  count: [1, 1],
  aliases: ['image build', 'build'],
  flags: BUILD_FLAGS,
  async run(session, { flags, args: [where = ''] }) {
    if (flags.iidfile !== '') rmSync(flags.iidfile, { force: true });
    checkOutputs(session, flags.output);
    const source = await findBuildSource(where, flags.file, session.stdin);
    const client = await session.client();
    const isWritten = flags.output.some(({ kind }) => kind !== 'image');
    if (isWritten && client.strakeVersion === undefined)
      throw new Failure('unsupported', 'OUTPUT_HOST', '--output needs a Strake host; this one is Docker', {
        hint: 'build the image and use "save", or "create" and "export"',
      });
    const output = flags.output.some((one) => one.kind === 'file' && one.path === '-')
      ? session.stderr
      : session.stdout;
    const live = wantsLiveView(output, session, flags, client);
    const input = { dockerfile: source.dockerfile, remote: source.kind === 'remote' ? source.url : undefined };
    const query = { ...buildQuery(flags, input, session.env), ...(live && { [EVENTS_QUERY]: '1' }) };
    const report = flags.quiet ? undefined : output;
    const answer = await requestBuild(session, client, source, query, { compress: flags.compress, report });
    const image = await follow(session, output, answer, flags, live);
    if (image === undefined) {
      if (flags.iidfile !== '' || isWritten)
        throw new Failure('internal', 'NO_IMAGE_ID', 'the host did not tell the image ID');
      return 0;
    }
    if (flags.iidfile !== '') writeFileSync(flags.iidfile, image);
    await writeOutputs(session, client, flags.output, { image, names: flags.tag });
    return 0;
  },
});

/** What is kept of a quiet build's text. */
const SAID_LIMIT = 1 << 20;

/** Sends the request: with an offer of the folder when the host can see it, with the context as a tar otherwise. */
async function requestBuild(
  session: Session,
  client: EngineClient,
  source: BuildSource,
  query: Query,
  options: { readonly compress: boolean; readonly report: Output | undefined },
): Promise<Answer> {
  const { signal } = session;
  const headers = await allRegistryAuth(session);
  if (source.kind === 'remote') return await client.request('POST', '/build', { query, headers, signal });
  if (source.kind === 'folder' && client.strakeVersion !== undefined && client.endpoint.kind === 'unix') {
    const offer = Buffer.from(JSON.stringify(source.offer)).toString('base64');
    try {
      return await client.request('POST', '/build', {
        query,
        headers: { ...headers, [CONTEXT_HEADER]: offer, 'Content-Type': 'text/plain' },
        ...(source.sent && { body: source.sent }),
        signal,
      });
    } catch (error) {
      if (!isFailure(error) || error.code !== 'HTTP_412') throw error;
    }
  }
  return await client.request('POST', '/build', {
    query,
    headers: { ...headers, 'Content-Type': 'application/x-tar' },
    body: sentContext(source.tar(), options),
    signal,
  });
}

/** Shows the build until its end; returns the ID of the image, as the host tells it. */
async function follow(
  session: Session,
  output: Output,
  answer: Answer,
  flags: BuildFlags,
  live: boolean,
): Promise<string | undefined> {
  const lines = readJsonLines<ProgressLine>(answer.body);
  if (live) return await followLive(session, output, lines);
  let image: string | undefined;
  const onAux = (aux: unknown) => {
    image = imageIn(aux) ?? image;
  };
  if (!flags.quiet) {
    await drawProgress(lines, output, { onAux });
    return image;
  }
  // A quiet build says its image alone; what it said before a failure belongs to the failure.
  let said = '';
  const gather: Output = {
    write(text) {
      said = (said + text).slice(-SAID_LIMIT);
      return true;
    },
    once() {},
  };
  try {
    await drawProgress(lines, gather, { onAux });
  } catch (error) {
    session.stderr.write(said);
    throw error;
  }
  output.write(said);
  return image ?? /sha256:[0-9a-f]{64}/.exec(said)?.[0];
}

async function followLive(
  session: Session,
  output: Output,
  lines: AsyncIterable<ProgressLine>,
): Promise<string | undefined> {
  let image: string | undefined;
  const color = (session.env['NO_COLOR'] ?? '') === '';
  using view = new LiveView(output, { color, now: Date.now });
  for await (const line of lines) {
    if (line.errorDetail || line.error !== undefined) throw lineFailure(line);
    if (line.id !== EVENT_LINE_ID) continue;
    const event = line.aux as BuildEvent; // the host's promise for lines with this id
    if (event.type === 'image' || event.type === 'built') image = event.image;
    view.show(event);
  }
  return image;
}

/** Whether to draw: on a terminal that can, of a host that tells events. */
function wantsLiveView(output: Output, session: Session, flags: BuildFlags, client: EngineClient): boolean {
  if (!['auto', 'tty', 'plain'].includes(flags.progress))
    throw new Failure('invalid', 'PROGRESS', `invalid progress mode "${flags.progress}": expected auto, tty or plain`);
  if (flags.quiet || flags.progress === 'plain' || client.strakeVersion === undefined) return false;
  return flags.progress === 'tty' || (output.isTTY === true && session.env['TERM'] !== 'dumb');
}

function imageIn(aux: unknown): string | undefined {
  return typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string' ? aux.ID : undefined;
}
