import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../../lib/error.ts';
import type { EngineClient, Query } from '../client/engine-client.ts';
import { type Session, writeAll } from '../session.ts';
import { offerFile } from './input-file.ts';

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
  await writeAside(path, async (aside) => {
    await pipeline(source, createWriteStream(aside, { flags: 'wx' }), { signal: session.signal });
    return true;
  });
}

/** As `writeArchive`, of what the host answers; the host writes the file itself when it can see it. */
export async function requestArchive(
  session: Session,
  client: EngineClient,
  path: string,
  { path: url, query }: { readonly path: string; readonly query: Query },
): Promise<void> {
  const { signal } = session;
  const isWritten =
    path !== '' &&
    (await writeAside(path, async (aside) => {
      await using handle = await open(aside, 'wx');
      const send = (headers: Readonly<Record<string, string>>) => client.text('GET', url, { query, headers, signal });
      return (await offerFile(client, { path: aside, handle }, send)) !== undefined;
    }));
  if (!isWritten) await writeArchive(session, path, (await client.request('GET', url, { query, signal })).body);
}

/** Lets `write` make a file, which gets its name when it says that it is complete, and is removed otherwise. */
async function writeAside(path: string, write: (aside: string) => Promise<boolean>): Promise<boolean> {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  let isComplete = false;
  try {
    isComplete = await write(aside);
    if (isComplete) await rename(aside, path);
    return isComplete;
  } finally {
    if (!isComplete) await rm(aside, { force: true });
  }
}
