import { Failure } from '../../lib/error.ts';

const LINE_LIMIT = 16 << 20;

/** Splits a stream of JSON objects, one a line, into the lines' texts. */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of source) {
    const pieces = (pending + decoder.decode(chunk, { stream: true })).split('\n');
    pending = pieces.pop() ?? '';
    if (pending.length > LINE_LIMIT)
      throw new Failure('data-loss', 'LINE_TOO_LONG', 'the host sent a line that is too long');
    for (const piece of pieces) if (piece.trim() !== '') yield piece;
  }
  if (pending.trim() !== '') yield pending;
}

/** Reads JSON objects, one a line. The type is the API's promise. */
export async function* readJsonLines<T>(source: AsyncIterable<Buffer>): AsyncGenerator<T> {
  for await (const line of readLines(source)) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new Failure('data-loss', 'LINE_INVALID', 'the host sent a line that is not JSON', { cause: error });
    }
    yield value as T;
  }
}
