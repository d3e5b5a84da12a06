import type { Readable } from 'node:stream';
import { Failure } from '../../../lib/error.ts';
import { byteStream } from './byte-stream.ts';
import type { ClientSession } from './sessions.ts';

/** moby.upload.v1.Upload: github.com/moby/buildkit, session/upload/upload.proto */
const PULL = 'moby.upload.v1.Upload/Pull';

/** Whether a URL means something that the client of the session has itself: a tar that it reads from its input. */
export function isUpload(url: string): boolean {
  return url.startsWith('http://buildkit-session/');
}

/** What the client has at such a URL. */
export function pullUpload(
  session: Pick<ClientSession, 'has' | 'grpc'>,
  url: string,
  { signal }: { readonly signal: AbortSignal },
): Readable {
  if (!session.has(PULL))
    throw new Failure('invalid', 'CLIENT_UPLOAD', `the client of the session does not give ${url}`);
  const { host, pathname } = new URL(url);
  const stream = byteStream(session.grpc.open(PULL, { metadata: { urlhost: host, urlpath: pathname }, signal }));
  stream.end();
  return stream;
}
