import { Failure } from '../../lib/error.ts';
import { type BuildEvent, EVENT_LINE_ID } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { drawProgress, lineFailure } from '../format/progress-lines.ts';
import type { Output, Session } from '../session.ts';
import { LiveView } from './live-view.ts';
import { SolveStatus } from './solve-status.ts';

/** How a build is shown. */
export type ProgressMode = 'live' | 'plain' | 'quiet' | 'rawjson';

/** Modes for which the host tells events instead of text. */
export const EVENT_MODES: readonly ProgressMode[] = ['live', 'rawjson'];

/** What is kept of a quiet build's text. */
const SAID_LIMIT = 1 << 20;

/** The mode for `--progress`, else for BUILDKIT_PROGRESS, else for where the output goes. */
export function progressMode(
  asked: { readonly progress: string; readonly quiet: boolean },
  session: Session,
  output: Output,
  options: { readonly isStrake: boolean },
): ProgressMode {
  const progress = asked.progress === 'auto' ? session.env['BUILDKIT_PROGRESS'] || 'auto' : asked.progress;
  if (!['auto', 'tty', 'plain', 'quiet', 'rawjson'].includes(progress))
    throw new Failure(
      'invalid',
      'PROGRESS',
      `invalid progress mode "${progress}": expected auto, tty, plain, quiet or rawjson`,
    );
  if (asked.quiet || progress === 'quiet') return 'quiet';
  if (progress === 'rawjson' && !options.isStrake)
    throw new Failure('unsupported', 'PROGRESS', '--progress=rawjson needs a Strake host; this one is Docker');
  if (progress === 'rawjson') return 'rawjson';
  if (progress === 'plain' || !options.isStrake) return 'plain';
  return progress === 'tty' || (output.isTTY === true && session.env['TERM'] !== 'dumb') ? 'live' : 'plain';
}

/** Shows the build until its end; returns the ID of the image, as the host tells it. */
export async function followBuild(
  session: Session,
  output: Output,
  lines: AsyncIterable<ProgressLine>,
  mode: ProgressMode,
): Promise<string | undefined> {
  switch (mode) {
    case 'live':
      return followLive(session, output, lines);
    case 'rawjson':
      return followRaw(session, lines);
    case 'quiet':
      return followQuiet(session, output, lines);
    case 'plain': {
      let image: string | undefined;
      const onAux = (aux: unknown) => {
        image = imageIn(aux) ?? image;
      };
      await drawProgress(lines, output, { onAux });
      return image;
    }
  }
}

/** The events of a build. An error line is a Failure. */
export async function* buildEvents(lines: AsyncIterable<ProgressLine>): AsyncGenerator<BuildEvent> {
  for await (const line of lines) {
    if (line.errorDetail || line.error !== undefined) throw lineFailure(line);
    if (line.id === EVENT_LINE_ID) yield line.aux as BuildEvent; // the host's promise for lines with this id
  }
}

async function followLive(
  session: Session,
  output: Output,
  lines: AsyncIterable<ProgressLine>,
): Promise<string | undefined> {
  let image: string | undefined;
  const color = (session.env['NO_COLOR'] ?? '') === '';
  using view = new LiveView(output, { color, now: Date.now });
  for await (const event of buildEvents(lines)) {
    image = imageOf(event) ?? image;
    view.show(event);
  }
  return image;
}

/** One JSON object a line on stderr, as BuildKit's clients write it. */
async function followRaw(session: Session, lines: AsyncIterable<ProgressLine>): Promise<string | undefined> {
  let image: string | undefined;
  const status = new SolveStatus();
  for await (const event of buildEvents(lines)) {
    image = imageOf(event) ?? image;
    const said = status.of(event, Date.now());
    if (said) session.stderr.write(`${JSON.stringify(said)}\n`);
  }
  return image;
}

/** A quiet build says its image alone; what it said before a failure belongs to the failure. */
async function followQuiet(
  session: Session,
  output: Output,
  lines: AsyncIterable<ProgressLine>,
): Promise<string | undefined> {
  let image: string | undefined;
  let said = '';
  const gather: Output = {
    write(text) {
      said = (said + text).slice(-SAID_LIMIT);
      return true;
    },
    once() {},
  };
  const onAux = (aux: unknown) => {
    image = imageIn(aux) ?? image;
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

function imageOf(event: BuildEvent): string | undefined {
  return event.type === 'image' || event.type === 'built' ? event.image : undefined;
}

function imageIn(aux: unknown): string | undefined {
  return typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string' ? aux.ID : undefined;
}
