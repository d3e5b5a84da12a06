import { Failure } from '../../lib/error.ts';

/** Streams of the frames in which a container's output arrives when it has no terminal. */
export type FrameStream = 'stdout' | 'stderr';

const HEADER = 8;
const FRAME_LIMIT = 64 << 20;

/**
 * Cuts framed output (`[stream,0,0,0,length]` and payload, see the Engine API on attach) into its payloads. Long
 * payloads come in the pieces in which they arrive. A system-error frame ends the stream as a Failure.
 */
export async function* readFrames(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly stream: FrameStream; readonly payload: Buffer }> {
  const header = Buffer.alloc(HEADER);
  let filled = 0;
  let stream = 1;
  let left = 0;
  let failed = '';
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > 0) {
      if (left === 0) {
        const taken = rest.copy(header, filled);
        rest = rest.subarray(taken);
        filled += taken;
        if (filled < HEADER) break;
        filled = 0;
        stream = header[0] ?? 1;
        left = header.readUInt32BE(4);
        if (stream > 3 || left > FRAME_LIMIT)
          throw new Failure('data-loss', 'FRAME_INVALID', `unrecognized stream ${stream} in the container's output`);
        continue;
      }
      const payload = rest.subarray(0, left);
      rest = rest.subarray(payload.length);
      left -= payload.length;
      if (stream === 3) failed += payload.toString('utf8');
      else yield { stream: stream === 2 ? 'stderr' : 'stdout', payload };
    }
  }
  if (failed !== '') throw new Failure('internal', 'STREAM_ERROR', `error from daemon in stream: ${failed.trim()}`);
}
