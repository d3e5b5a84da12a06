import { normalize } from 'node:path';
import { DOCKERFILE_LIMIT } from '../../dockerfile/parse.ts';
import { readInside } from '../../host/inside-root.ts';
import { gatherBytes } from '../../lib/byte-stream.ts';
import { Failure, messageOf } from '../../lib/error.ts';

/** Of a file in a context one more is read than is taken: what is larger is refused when it is parsed. */
const LIMIT = DOCKERFILE_LIMIT + 1;

/** Reads a file of a context; undefined when there is none. Links and `..` cannot lead out of the folder. */
export function readContextFile(folder: string, path: string, what: string): Buffer | undefined {
  if (normalize(path).startsWith('..'))
    throw new Failure('invalid', 'PATH_OUTSIDE_CONTEXT', `forbidden path outside the build context: ${path} (${what})`);
  try {
    return readInside(folder, path, LIMIT);
  } catch (error) {
    throw new Failure('invalid', 'CONTEXT_FILE_UNREADABLE', `cannot read ${what} ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The Dockerfile at `name` in a folder. */
export function readDockerfile(folder: string, name: string): { readonly dockerfile: Buffer } {
  const dockerfile = readContextFile(folder, name, 'Dockerfile');
  if (dockerfile) return { dockerfile };
  throw new Failure('invalid', 'DOCKERFILE_MISSING', `Cannot locate specified Dockerfile: ${name}`, {
    hint: 'name another one with -f',
  });
}

/** A Dockerfile that comes as a stream; `shown` is what messages call it. */
export function gatherDockerfile(source: AsyncIterable<Uint8Array>, shown: string): Promise<Buffer> {
  return gatherBytes(
    source,
    DOCKERFILE_LIMIT,
    () => new Failure('invalid', 'DOCKERFILE_TOO_LARGE', `${shown} is over ${DOCKERFILE_LIMIT} bytes`),
  );
}
