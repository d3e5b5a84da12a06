import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { humanSize } from '../format/human.ts';
import type { Output } from '../session.ts';

const REPORT_EVERY = 512 << 10;

/** A context on its way: counted for the person, compressed when asked. */
export function sentContext(tar: Readable, options: { compress: boolean; report: Output | undefined }): Readable {
  const counted = Readable.from(count(tar, options.report));
  if (!options.compress) return counted;
  const gzip = createGzip();
  counted.on('error', (error) => gzip.destroy(error));
  gzip.on('close', () => counted.destroy());
  return counted.pipe(gzip);
}

async function* count(tar: AsyncIterable<Buffer>, report: Output | undefined): AsyncGenerator<Buffer> {
  const start = report?.isTTY === true ? '\r' : '';
  let size = 0;
  let told = 0;
  for await (const chunk of tar) {
    size += chunk.length;
    if (start !== '' && size - told > REPORT_EVERY) {
      report?.write(`\rSending build context to the host  ${humanSize(size)}\x1b[K`);
      told = size;
    }
    yield chunk;
  }
  report?.write(`${start}Sending build context to the host  ${humanSize(size)}\n`);
}
