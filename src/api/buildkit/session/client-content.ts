import { randomBytes } from 'node:crypto';
import { Failure, isFailure } from '../../../lib/error.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { ClientContent } from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import type { GrpcStream } from '../grpc/client.ts';
import {
  abortRequest,
  infoRequest,
  infoResponse,
  readRequest,
  readResponse,
  WriteAction,
  writeRequest,
  writeResponse,
} from '../shapes/content.ts';
import type { ClientSession } from './sessions.ts';

const SERVICE = 'containerd.services.content.v1.Content';
/** Clients take messages of up to 4 MiB. */
const LONGEST = 1 << 20;
/** How long a client may take to forget what was not finished. */
const ABORT_MS = 5000;

export type Blob = Pick<Descriptor, 'digest' | 'size'>;

/** A place for blobs that a client has open, of a name that it made up: an OCI layout in a folder. */
export class SessionContent implements ClientContent {
  readonly #session: Pick<ClientSession, 'has' | 'grpc'>;
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(session: Pick<ClientSession, 'has' | 'grpc'>, store: string) {
    this.#session = session;
    this.#metadata = { 'buildkit-attachable-store-id': store };
  }

  async size(digest: Digest, { signal }: CallOptions): Promise<number | undefined> {
    try {
      const options = { metadata: this.#metadata, signal };
      const answer = await this.#session.grpc.call(this.#method('Info'), infoRequest.encode({ digest }), options);
      return infoResponse.decode(answer).info?.size ?? 0;
    } catch (error) {
      if (isFailure(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async *read({ digest, size }: Blob, { signal }: CallOptions): AsyncGenerator<Buffer> {
    const stream = this.#session.grpc.open(this.#method('Read'), { metadata: this.#metadata, signal });
    try {
      await stream.send(readRequest.encode({ digest, size }));
      stream.end();
      for await (const message of stream.received) {
        const { data } = readResponse.decode(message);
        if (data.length > 0) yield Buffer.from(data.buffer, data.byteOffset, data.length);
      }
    } finally {
      stream.close();
    }
  }

  /** Gives the client a blob, unless it is there already. After a failure nothing of it remains. */
  async write({ digest, size }: Blob, content: AsyncIterable<Uint8Array>, { signal }: CallOptions): Promise<void> {
    if ((await this.size(digest, { signal })) === size) return;
    const ref = `strake-${randomBytes(12).toString('hex')}`;
    const stream = this.#session.grpc.open(this.#method('Write'), { metadata: this.#metadata, signal });
    try {
      const answers = stream.received[Symbol.asyncIterator]();
      const about = { ref, total: size, expected: digest };
      let offset = 0;
      for await (const chunk of content)
        for (let at = 0; at < chunk.length; at += LONGEST) {
          const data = chunk.subarray(at, at + LONGEST);
          await say(stream, answers, { ...about, action: WriteAction.write, offset, data });
          offset += data.length;
        }
      await say(stream, answers, { ...about, action: WriteAction.commit, offset });
      stream.end();
      for (let next = await answers.next(); next.done !== true; ) next = await answers.next();
    } catch (error) {
      stream.close();
      if (isFailure(error, 'exists')) return; // another has brought it meanwhile
      await this.#forget(ref);
      throw error;
    }
  }

  async #forget(ref: string): Promise<void> {
    const options = { metadata: this.#metadata, signal: AbortSignal.timeout(ABORT_MS) };
    await this.#session.grpc.call(this.#method('Abort'), abortRequest.encode({ ref }), options).catch(() => {});
  }

  #method(name: string): string {
    const method = `${SERVICE}/${name}`;
    if (this.#session.has(method)) return method;
    throw new Failure('invalid', 'CLIENT_CONTENT', 'the client of the session lends no content store');
  }
}

/** Each message has its answer, which says how far the client is. */
async function say(
  stream: GrpcStream,
  answers: AsyncIterator<Buffer>,
  request: Parameters<typeof writeRequest.encode>[0],
): Promise<void> {
  await stream.send(writeRequest.encode(request));
  const answer = await answers.next();
  if (answer.done === true)
    throw new Failure('unavailable', 'CLIENT_CONTENT', `the client ended the write of blob ${request.expected} early`);
  const { offset } = writeResponse.decode(answer.value);
  const expected = (request.offset ?? 0) + (request.data?.length ?? 0);
  if (request.action === WriteAction.write && offset !== expected)
    throw new Failure(
      'data-loss',
      'CLIENT_CONTENT',
      `the client has ${offset} bytes of blob ${request.expected}, not ${expected}`,
    );
}
