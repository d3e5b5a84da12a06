import { Failure } from '../lib/error.ts';

/** A tar archive that cannot be read. `offset` is the place in the uncompressed bytes. */
export function invalidTar(message: string, offset?: number): Failure {
  return new Failure('invalid', 'TAR_INVALID', offset === undefined ? message : `${message} (at byte ${offset})`);
}
