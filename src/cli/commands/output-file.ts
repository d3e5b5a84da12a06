import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../../lib/error.ts';
import { type Session, writeAll } from '../session.ts';

/** Refuses to write an archive to a terminal. Call before the host is asked for it. */
export function checkArchiveTarget(session: Session, path: string): void {
  if (path === '' && session.stdout.isTTY === true)
    throw new Failure('invalid', 'TERMINAL', 'cowardly refusing to save to a terminal. Use the -o flag or redirect');
}

/** Writes a stream to stdout, or to a file that appears only when it is complete. */
export async function writeArchive(session: Session, path: string, source: AsyncIterable<Buffer>): Promise<void> {
  if (path === '') {
    for await (const chunk of source) await writeAll(session.stdout, chunk);
    return;
  }
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    await pipeline(source, createWriteStream(aside, { flags: 'wx' }), { signal: session.signal });
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
