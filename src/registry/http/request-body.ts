import type { IncomingMessage, ServerResponse } from 'node:http';

/** The bytes of a request. Its connection stays open for the answer when they are given up; a client that waits is told to send them. */
export function bodyOf(request: IncomingMessage, response: ServerResponse): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]() {
      if (/^100-continue$/i.test(request.headers.expect ?? '')) response.writeContinue();
      return request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>; // no encoding was set
    },
  };
}

/** The body of a request in memory; undefined when it is over the limit. */
export async function readBounded(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyOf(request, response)) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
