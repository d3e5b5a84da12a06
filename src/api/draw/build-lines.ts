import { type BuildEvent, EVENT_LINE_ID } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { ClassicText } from './classic-text.ts';

/** One way to tell a client about a build. */
export interface BuildDrawing {
  show(event: BuildEvent): Promise<void>;
  /** Ends a build that succeeded. */
  done(image: string): void;
  /** Ends a build that failed, before the error line. */
  failed(): void;
}

export type BuildStyle = 'classic' | 'quiet' | 'events';
type Write = (line: ProgressLine) => Promise<void>;

/** Bytes of text kept of a quiet build, to be shown if it fails. */
const QUIET_LIMIT = 1 << 20;

export function drawBuild(style: BuildStyle, write: Write): BuildDrawing {
  switch (style) {
    case 'classic':
      return drawClassic(write);
    case 'quiet':
      return drawQuiet(write);
    case 'events':
      return drawEvents(write);
  }
}

function drawClassic(write: Write): BuildDrawing {
  const text = new ClassicText(write);
  return { show: (event) => text.show(event), done: () => {}, failed: () => text.finish() };
}

/** Says the image ID alone; what happened comes out only when the build fails. */
function drawQuiet(write: Write): BuildDrawing {
  const kept: ProgressLine[] = [];
  let bytes = 0;
  const text = new ClassicText((line) => {
    if (line.stream === undefined) return Promise.resolve();
    kept.push(line);
    bytes += line.stream.length;
    while (bytes > QUIET_LIMIT) bytes -= kept.shift()?.stream?.length ?? bytes;
    return Promise.resolve();
  });
  return {
    show: (event) => text.show(event),
    done: (image) => void write({ stream: `${image}\n` }),
    failed: () => {
      text.finish();
      for (const line of kept) void write(line);
    },
  };
}

/** Passes every event on as it is. */
function drawEvents(write: Write): BuildDrawing {
  return { show: (event) => write({ id: EVENT_LINE_ID, aux: event }), done: () => {}, failed: () => {} };
}
