import { normalize } from 'node:path';
import { readInside } from '../../host/inside-root.ts';
import { Failure, messageOf } from '../../lib/error.ts';

/** One more than dockerfile/parse.ts takes: what is larger is refused there, and no more of it is read. */
const LIMIT = (16 << 20) + 1;

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
