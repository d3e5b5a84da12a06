import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure, isFailure, systemCode } from '../lib/error.ts';

export const FULL_DISK_ADVICE =
  'remove what is not needed (image prune, builder prune, container prune) or enlarge the disk';

/**
 * Turns the system error of a write below `folder`, or the refusal of an archive that is larger than what is free there, into a
 * Failure when its cause is a full disk; others pass.
 */
export function diskFailure(error: unknown, folder: string): unknown {
  if (isFailure(error, 'exhausted') && error.code === 'EXPANDED_TOO_LARGE') {
    const detail = { cause: error, hint: FULL_DISK_ADVICE };
    return new Failure('exhausted', 'DISK_FULL', `no space left in ${folder}: ${error.message}`, detail);
  }
  const code = systemCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const what = code === 'ENOSPC' ? 'no space left' : 'disk quota exceeded';
  return new Failure('exhausted', 'DISK_FULL', `${what} in ${folder}`, {
    cause: error,
    hint: FULL_DISK_ADVICE,
  });
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
