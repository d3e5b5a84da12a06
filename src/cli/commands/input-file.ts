import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import { systemMessage } from '../system-message.ts';

/** Opens a file that goes to the host. A Failure when it cannot be opened. */
export async function openInput(path: string): Promise<Readable> {
  try {
    const file = await open(path, 'r');
    return file.createReadStream({ highWaterMark: 1 << 20 });
  } catch (error) {
    throw new Failure('invalid', 'FILE', `open ${path}: ${systemMessage(error)}`, { cause: error });
  }
}
