import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Failure, systemCode } from '../lib/error.ts';
import { lendBytes } from '../lib/lend-bytes.ts';
import { feedStream } from './feed-stream.ts';

const PACKAGES = { bzip2: 'bzip2', xz: 'xz-utils' };

/** Decompresses with `program -dc`. The program is killed when the signal aborts or the reader stops early. */
export async function* expandByProgram(
  program: 'bzip2' | 'xz',
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
  const ended = once(child, 'close');
  ended.catch(() => {}); // looked at below; without this an early stop would be an unhandled rejection
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 1000);
  });
  let sourceError: unknown;
  const feeding = feedStream(watch(source), child.stdin).catch(() => child.stdin.destroy()); // EPIPE: the exit code tells more
  async function* watch(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* input;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  }
  try {
    yield* lendBytes<Buffer>(child.stdout);
    await feeding;
    if (sourceError !== undefined) throw sourceError;
    const [code] = await ended;
    if (code !== 0)
      throw new Failure(
        'invalid',
        'COMPRESSED_INVALID',
        `corrupt ${program} data: ${complaint.trim() || `exit ${code}`}`,
      );
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new Failure('unavailable', 'PROGRAM_MISSING', `program "${program}" is needed for this archive`, {
        hint: `install it: apt-get install ${PACKAGES[program]}`,
        cause: error,
      });
    throw error;
  } finally {
    child.kill('SIGKILL');
  }
}
