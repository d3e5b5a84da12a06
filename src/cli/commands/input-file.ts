import { type FileHandle, open, realpath } from 'node:fs/promises';
import { Failure, isFailure } from '../../lib/error.ts';
import { FILE_HEADER, type FileOffer } from '../../wire/file-offer.ts';
import type { Answer, EngineClient, RequestInput } from '../client/engine-client.ts';
import { systemMessage } from '../system-message.ts';

/** Opens a file that goes to the host. A Failure when it cannot be opened. */
export async function openInput(path: string): Promise<InputFile> {
  try {
    const handle = await open(path, 'r');
    return { path, handle };
  } catch (error) {
    throw new Failure('invalid', 'FILE', `open ${path}: ${systemMessage(error)}`, { cause: error });
  }
}

export interface InputFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** Posts a file: as an offer when the host can see it, otherwise with its bytes as the body. */
export async function postFile(
  client: EngineClient,
  path: string,
  input: RequestInput & { readonly file: InputFile },
): Promise<Answer> {
  const { file, ...request } = input;
  const answer = await offerFile(client, file, (headers) =>
    client.request('POST', path, { ...request, headers: { ...request.headers, ...headers } }),
  );
  if (answer) {
    await file.handle.close();
    return answer;
  }
  return client.request('POST', path, { ...request, body: file.handle.createReadStream({ highWaterMark: 1 << 20 }) });
}

/**
 * Sends a request with an offer of a file in its headers. Undefined when the host cannot be expected to see the file, or does
 * not.
 */
export async function offerFile<T>(
  client: EngineClient,
  { path, handle }: InputFile,
  send: (headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T | undefined> {
  if (client.strakeVersion === undefined || client.endpoint.kind !== 'unix') return undefined;
  const stat = await handle.stat({ bigint: true });
  if (!stat.isFile()) return undefined;
  const offer: FileOffer = { path: await realpath(path), device: `${stat.dev}`, inode: `${stat.ino}` };
  try {
    return await send({ [FILE_HEADER]: Buffer.from(JSON.stringify(offer)).toString('base64') });
  } catch (error) {
    if (isFailure(error) && error.code === 'HTTP_412') return undefined;
    throw error;
  }
}
