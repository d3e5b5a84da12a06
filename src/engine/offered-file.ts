import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Failure, systemCode } from '../lib/error.ts';
import type { FileRange } from '../lib/file-range.ts';
import type { FileOffer } from '../wire/file-offer.ts';

/**
 * Opens a file that a client offers, if it is a regular one and the very file that the client sees. To be written it must
 * be empty: nothing is ever overwritten. Otherwise a Failure with code FILE_NOT_VISIBLE.
 */
export async function openOffered(offer: FileOffer, access: 'read' | 'write'): Promise<FileHandle> {
  const { O_RDONLY, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants; // a pipe in its place must not make the host wait
  let handle: FileHandle;
  try {
    handle = await open(offer.path, (access === 'read' ? O_RDONLY : O_WRONLY) | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw notVisible(offer, systemCode(error) ?? 'unreadable');
  }
  const { dev, ino, size, ...stat } = await handle.stat({ bigint: true });
  const isSame = `${dev}` === offer.device && `${ino}` === offer.inode && (Number(stat.mode) & 0o170000) === 0o100000;
  if (isSame && (access === 'read' || size === 0n)) return handle;
  await handle.close();
  throw notVisible(offer, isSame ? 'it is not empty' : 'it is another one');
}

/** All bytes of an open file. */
export async function rangeOf(handle: FileHandle): Promise<FileRange> {
  return { file: handle.fd, start: 0, length: (await handle.stat()).size };
}

function notVisible(offer: FileOffer, why: string): Failure {
  return new Failure(
    'invalid',
    'FILE_NOT_VISIBLE',
    `the host does not see the file ${offer.path} of its client: ${why}`,
  );
}
